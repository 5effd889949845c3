"""The app: one line per command, each in a file of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from kinblend.cli import demo, models, plugins, run, strategies

app = typer.Typer(
    name="kinblend",
    help="Predict how a child of two people might look.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("plugins")(plugins.plugins)
app.add_typer(models.app, name="models")
for kind in ("encoder", "blender", "editor", "projector"):
    app.add_typer(strategies.group(kind), name=f"{kind}s")


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
) -> None:
    """Predict how a child of two people might look."""
