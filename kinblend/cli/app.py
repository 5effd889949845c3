"""The app: one line per command, each in a file of its own."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import typer
import typer.main

from kinblend.cli import (
    analyze,
    batch,
    bench,
    bench_scale,
    card,
    compare,
    demo,
    doctor,
    evaluate,
    experiment,
    families,
    models,
    morph,
    partner,
    plugins,
    prepare,
    registry_commands,
    run,
    serve,
    steps,
    strip,
    study,
    train,
    traverse,
    tree,
    upscale,
)
from kinblend.cli.command import App
from kinblend.cli.output import tell_more
from kinblend.cli.plugin_commands import Commands
from kinblend.registry import KINDS

# Panels of the help, in this order.
MAKE, STEPS, MODELS = "Make a child", "The steps of a run, one by one", "Models"
FAMILIES, TRAIN, PLUGINS = "Pictures of families", "Train and measure", "What is installed"
EXAMPLES = """kinblend demo

kinblend run father.jpg mother.jpg --age 8 --sex girl"""
RUN_EXAMPLES = """kinblend run father.jpg mother.jpg --age 30 --sex girl --edit smile=1

kinblend run father.jpg mother.jpg --blender mask --children 4 --sheet"""

COMPARE_EXAMPLES = """kinblend compare father.jpg mother.jpg --out sheet.png

kinblend compare father.jpg mother.jpg --blenders dimension,layer --age 30 --sex girl --children 3"""

STRIP_EXAMPLES = """kinblend strip anna.jpg --age 4,16,40,70

kinblend strip anna.jpg --age 4,16,40,70 --out ages.webp

kinblend strip out/child.safetensors --edit smile=-2,0,2"""

MORPH_EXAMPLES = """kinblend morph father.jpg mother.jpg --through out/child.json

kinblend morph anna.jpg out/child.safetensors --frames 50 --out anna.mp4"""

TREE_EXAMPLES = """kinblend tree family.toml

kinblend tree family.toml --blender mask --seed 3 --out smiths"""

PARTNER_EXAMPLES = """kinblend partner child.jpg mother.jpg

kinblend partner out/child.json mother.jpg --age 60 --sex male"""

CARD_EXAMPLES = """kinblend card out --father father.jpg --mother mother.jpg --title "Who will it be?" --out card.pdf

kinblend card out/child.json --size 4x6 --frame round"""

app = App(
    name="kinblend",
    cls=Commands,
    help="Predict how a child of two people might look.",
    epilog=f"Examples:\n\n{EXAMPLES}\n\nExit codes: 0 done, 1 the work failed, 2 invalid usage, 3 an input was "
    "refused, 4 a model is missing or does not verify.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("run", rich_help_panel=MAKE, epilog=f"Examples:\n\n{RUN_EXAMPLES}")(run.run)
app.command("compare", rich_help_panel=MAKE, epilog=f"Examples:\n\n{COMPARE_EXAMPLES}")(compare.compare)
app.command("batch", rich_help_panel=MAKE)(batch.batch)
app.command("strip", rich_help_panel=MAKE, epilog=f"Examples:\n\n{STRIP_EXAMPLES}")(strip.strip)
app.command("partner", rich_help_panel=MAKE, epilog=f"Examples:\n\n{PARTNER_EXAMPLES}")(partner.partner)
app.command("morph", rich_help_panel=MAKE, epilog=f"Examples:\n\n{MORPH_EXAMPLES}")(morph.morph)
app.command("tree", rich_help_panel=MAKE, epilog=f"Examples:\n\n{TREE_EXAMPLES}")(tree.tree)
app.command("card", rich_help_panel=MAKE, epilog=f"Examples:\n\n{CARD_EXAMPLES}")(card.card)
app.command("demo", rich_help_panel=MAKE)(demo.demo)
app.command("serve", rich_help_panel=MAKE)(serve.serve)
for step in (steps.align, steps.encode, steps.blend, steps.edit, steps.render, steps.project):
    app.command(step.__name__, rich_help_panel=STEPS)(step)
app.command("upscale", rich_help_panel=STEPS)(upscale.upscale)
app.add_typer(models.app, name="models", rich_help_panel=MODELS)
bench.app.command("scale")(bench_scale.scale)
app.add_typer(bench.app, name="bench", rich_help_panel=MODELS)
app.add_typer(families.app, name="families", rich_help_panel=FAMILIES)
app.command("prepare", rich_help_panel=FAMILIES)(prepare.prepare)
app.add_typer(train.app, name="train", rich_help_panel=TRAIN)
app.add_typer(evaluate.app, name="evaluate", rich_help_panel=TRAIN)
app.command("analyze", rich_help_panel=TRAIN)(analyze.analyze)
app.command("traverse", rich_help_panel=TRAIN)(traverse.traverse)
app.add_typer(study.app, name="study", rich_help_panel=TRAIN)
app.add_typer(experiment.app, name="experiment", rich_help_panel=TRAIN)
app.command("doctor", rich_help_panel=PLUGINS)(doctor.doctor)
app.command("plugins", rich_help_panel=PLUGINS)(plugins.plugins)
for kind in KINDS:
    app.add_typer(registry_commands.group(kind), name=f"{kind}s", rich_help_panel=PLUGINS)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("kinblend"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", metavar="", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            metavar="",
            show_default=False,
            help="Tell what is done, -vv in more detail, on stderr: kinblend -vv run …",
        ),
    ] = 0,
) -> None:
    """Predict how a child of two people might look."""
    tell_more(verbose)


@cache
def command() -> Any:
    """The whole command line, built once in a process: that takes a tenth of a second."""
    return typer.main.get_command(app)
