"""`kinblend demo`: a child of two example people, under every strategy, and a girl and a boy at several ages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_folder, emit_paths, log
from kinblend.errors import UsageError
from kinblend.package_data import example_portrait as example

if TYPE_CHECKING:
    from kinblend.pipeline import Engine, Result

    Pictured = tuple[str, Result]  # with its caption

FATHER, MOTHER = "P007", "P004"
AGES = (4, 16, 30, 60)  # years
COLUMNS = 4
CHILDREN: dict[Literal["girl", "boy"], str] = {"girl": "daughter", "boy": "son"}  # by sex: captions


def demo(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("demo"),
    backbone: flags.Backbone = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Predict children of two example people; prints where the picture is."""
    from kinblend.imaging.encode import write_picture
    from kinblend.imaging.sheet import sheet

    check_folder(out)
    parents = example(FATHER), example(MOTHER)
    engine = flags.open_engine(backbone)
    log(f"backbone: {engine.backbone.name}")
    made = [*by_strategy(engine, *parents), *by_age(engine, *parents)]
    first = made[0][1]
    first.save(out)
    pictures = [first.father.crop, first.mother.crop, *(result.children[0].image for _, result in made)]
    path = out / "demo.png"
    captions = ["Father", "Mother", *(caption for caption, _ in made)]
    write_picture(path, sheet(pictures, columns=COLUMNS, side=240, captions=captions))
    emit_paths([path], as_json)


def by_strategy(engine: Engine, father: Path, mother: Path) -> Iterator[Pictured]:
    """A girl of eight by each preferred strategy that this backbone has all weights for; the others are named."""
    from kinblend.pipeline.compare import usable_strategies

    names, left_out = usable_strategies(engine.backbone)
    for why in left_out:
        log(f"left out: {why}")
    for name in names:
        log(f"{name} …")
        yield name, engine.run(father, mother, blender=name, age=8, sex="girl", by_default=("age", "sex"))


def by_age(engine: Engine, father: Path, mother: Path) -> Iterator[Pictured]:
    """The girl and the boy of the default strategy at each age, where the backbone has directions for that."""
    try:
        for sex in CHILDREN:
            for age in AGES:
                yield f"{CHILDREN[sex]} at {age}", engine.run(father, mother, age=age, sex=sex)
    except UsageError as error:
        log(f"left out: ages: {error}")
