"""The app: one line per command, each in a file of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from kinblend.cli import (
    analyze,
    bench,
    demo,
    doctor,
    evaluate,
    families,
    models,
    plugins,
    prepare,
    registry_commands,
    run,
    serve,
    steps,
    study,
    train,
)
from kinblend.cli.command import App
from kinblend.cli.output import tell_more
from kinblend.cli.plugin_commands import Commands
from kinblend.registry import KINDS

app = App(
    name="kinblend",
    cls=Commands,
    help="Predict how a child of two people might look.",
    epilog="Exit codes: 0 done, 1 the work failed, 2 invalid usage, 3 an input was refused, "
    "4 a model is missing or does not verify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("serve")(serve.serve)
for step in (steps.align, steps.encode, steps.blend, steps.edit, steps.render, steps.project):
    app.command(step.__name__)(step)
app.command("prepare")(prepare.prepare)
app.command("analyze")(analyze.analyze)
app.command("plugins")(plugins.plugins)
app.command("doctor")(doctor.doctor)
app.command("bench")(bench.bench)
app.add_typer(models.app, name="models")
app.add_typer(families.app, name="families")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(study.app, name="study")
for kind in KINDS:
    app.add_typer(registry_commands.group(kind), name=f"{kind}s")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("kinblend"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Tell what is done, -vv in more detail, on stderr.")
    ] = 0,
) -> None:
    """Predict how a child of two people might look."""
    tell_more(verbose)
