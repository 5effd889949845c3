"""The pictures of docs/backbone.md: children of the example people of the package `openpeople`.

python benchmarks/sheets.py [--backbone NAME] [--out docs/sheets] [--only families]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from kinblend import Engine
from kinblend.cli.demo import example
from kinblend.errors import WeightsMissingError
from kinblend.imaging.encode import write_picture
from kinblend.imaging.sheet import sheet

COUPLES = (("P007", "P004"), ("P005", "P002"), ("P008", "P009"))
FAMILIES = (*COUPLES, ("P007", "P010"), ("P005", "P001"), ("P008", "P006"))
STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "average": {},
    "layer": {"shares": {"coarse": 1.0}, "default": 0.0},
    "dimension": {"shares": [number / 511 for number in range(512)]},
    "mask": {},
    "learned": {},
    "likeness": {},
    "slerp": {},
}
AGES = (4, 8, 16, 30, 50, 70)  # years
FAMILY_AGES = (4, 8, 16, 30, 60)
SIDE = 176


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/sheets"))
    parser.add_argument("--backbone", default=None)
    parser.add_argument(
        "--only", choices=("families",), help="six families at five ages, as a JPEG of the backbone's name"
    )
    words = parser.parse_args()
    out, engine = words.out, Engine(words.backbone)
    print(engine.backbone.name)
    if words.only:
        rows = [row for couple in FAMILIES for row in family(engine, *couple)]
        write(out / f"families-{engine.backbone.name}.jpg", rows, side=224)
        return
    write(out / "strategies.png", [strategies(engine, *couple) for couple in COUPLES])
    write(out / "ages.png", [ages(engine, *couple) for couple in COUPLES], columns=2 + len(AGES))
    write(out / "siblings.png", [siblings(engine, *couple) for couple in COUPLES[::2]])
    write(out / "edits.png", edits(engine, *COUPLES[0]), SIDE * 3 // 4)
    write(out / "selfies.png", [selfies(engine, *couple) for couple in COUPLES])


def known(engine: Engine) -> list[tuple[str, Mapping[str, Any]]]:
    """The strategies that the backbone has weights for, with their options; the others are named."""
    found = []
    for name, options in STRATEGIES.items():
        try:
            engine.blender(name, options)
        except WeightsMissingError as error:
            print(f"left out: {error}")
            continue
        found.append((name, options))
    return found


def strategies(engine: Engine, father: str, mother: str) -> list[Image]:
    """Father, mother, a child by each strategy that the backbone has weights for."""
    results = [
        engine.run(example(father), example(mother), blender=name, blender_options=dict(options))
        for name, options in known(engine)
    ]
    return [results[0].father.crop, results[0].mother.crop, *(result.children[0].image for result in results)]


def ages(engine: Engine, father: str, mother: str) -> list[Image]:
    """Father, mother, the girl of `average` at each age; below, the boy."""
    rows = []
    for sex in ("girl", "boy"):
        results = [engine.run(example(father), example(mother), age=age, sex=sex) for age in AGES]
        rows += [results[0].father.crop, results[0].mother.crop, *(result.children[0].image for result in results)]
    return rows


def family(engine: Engine, father: str, mother: str) -> list[list[Image]]:
    """Father and mother as photographed, and their daughter at each age; below, as reconstructed, and their son."""
    rows = []
    for sex in ("girl", "boy"):
        results = [
            engine.run(example(father), example(mother), age=age, sex=sex, reconstruct=True) for age in FAMILY_AGES
        ]
        parents = (results[0].father, results[0].mother)
        shown = [parent.crop if sex == "girl" else parent.reconstruction for parent in parents]
        rows.append([*shown, *(result.children[0].image for result in results)])
    return rows


def siblings(engine: Engine, father: str, mother: str) -> list[Image]:
    """Eight children by `mask`, girls and boys of eight."""
    result = engine.run(example(father), example(mother), blender="mask", age=8, sex="any", children=8)
    return [child.image for child in result.children]


def edits(engine: Engine, father: str, mother: str) -> list[list[Image]]:
    """A row for each attribute: the child of `average` at −3 to 3."""
    rows = []
    for attribute in engine.editor().attributes():
        results = [engine.run(example(father), example(mother), edits={attribute: s}) for s in range(-3, 4)]
        rows.append([result.children[0].image for result in results])
    return rows


def selfies(engine: Engine, father: str, mother: str) -> list[Image]:
    """From selfies: father, mother, their child as photographed and from calm parents, then that one at eight."""
    pictures = [example(person).with_name("amateur_selfie.jpg") for person in (father, mother)]
    taken = engine.run(*pictures, neutral=False)
    calm, young = engine.run(*pictures), engine.run(*pictures, age=8)
    shown = [result.children[0].image for result in (taken, calm, young)]
    return [taken.father.crop, taken.mother.crop, *shown]


def write(path: Path, rows: Sequence[Sequence[Image]], side: int = SIDE, columns: int | None = None) -> None:
    columns = columns or len(rows[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = sheet([picture for row in rows for picture in row], columns=columns, side=side)
    if path.suffix == ".png":
        write_picture(path, drawn)
    else:
        drawn.save(path, quality=90)
    print(path)


if __name__ == "__main__":
    main()
