"""The pictures of docs/backbone.md: children of the example people of the package `openpeople`.

python benchmarks/sheets.py [--out docs/sheets]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from kinblend import Engine
from kinblend.cli.demo import example
from kinblend.imaging.encode import write_png
from kinblend.pipeline.sheet import sheet

COUPLES = (("P007", "P004"), ("P005", "P002"), ("P008", "P009"))
STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "average": {},
    "layer": {"shares": {"0": 1.0}, "default": 0.0},
    "dimension": {"shares": [number / 511 for number in range(512)]},
    "mask": {},
    "learned": {},
    "likeness": {},
    "slerp": {},
}
AGES = ("4y", "8y", "16y", "30y", "50y", "70y")
SIDE = 176


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/sheets"))
    out = parser.parse_args().out
    engine = Engine()
    write(out / "strategies.png", [strategies(engine, *couple) for couple in COUPLES])
    write(out / "ages.png", [ages(engine, *couple) for couple in COUPLES])
    write(out / "siblings.png", [siblings(engine, *couple) for couple in COUPLES[::2]])
    write(out / "edits.png", edits(engine, *COUPLES[0]), SIDE * 3 // 4)
    write(out / "selfies.png", [selfies(engine, *couple) for couple in COUPLES])


def strategies(engine: Engine, father: str, mother: str) -> list[Image]:
    """Father, mother, a child by each strategy."""
    results = [engine.run(example(father), example(mother), name, options) for name, options in STRATEGIES.items()]
    return [results[0].father.crop, results[0].mother.crop, *(result.children[0].image for result in results)]


def ages(engine: Engine, father: str, mother: str) -> list[Image]:
    """Father, mother, the child of `average` at each age."""
    results = [engine.run(example(father), example(mother), edits={"age": age}) for age in AGES]
    return [results[0].father.crop, results[0].mother.crop, *(result.children[0].image for result in results)]


def siblings(engine: Engine, father: str, mother: str) -> list[Image]:
    """Eight children by `mask`, all of them eight years old."""
    result = engine.run(example(father), example(mother), "mask", edits={"age": "8y"}, children=8)
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
    calm, young = engine.run(*pictures), engine.run(*pictures, edits={"age": "8y"})
    shown = [result.children[0].image for result in (taken, calm, young)]
    return [taken.father.crop, taken.mother.crop, *shown]


def write(path: Path, rows: Sequence[Sequence[Image]], side: int = SIDE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, sheet([picture for row in rows for picture in row], columns=len(rows[0]), side=side))
    print(path)


if __name__ == "__main__":
    main()
