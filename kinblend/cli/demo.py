"""`kinblend demo`: a child of two example people, under every strategy and at two ages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_folder, say, wrote
from kinblend.errors import ModelError

FATHER, MOTHER = "P007", "P004"
STRATEGIES = ("average", "dimension", "layer", "mask", "learned", "likeness")
AGES = ("8y", "60y")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("demo"),
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Predict a child of two example people; prints where the picture is."""
    from kinblend.imaging.encode import write_png
    from kinblend.pipeline import Engine
    from kinblend.pipeline.sheet import sheet

    check_folder(out)
    father, mother = example(FATHER), example(MOTHER)
    engine = Engine()
    results = []
    for name in STRATEGIES:
        say(f"{name} …")
        results.append(engine.run(father, mother, name, options=_OPTIONS.get(name)))
    aged = [engine.run(father, mother, edits={"age": age}) for age in AGES]
    results[0].save(out)
    parents = [results[0].father.crop, results[0].mother.crop]
    pictures = parents + [result.children[0].image for result in results + aged]
    path = out / "demo.png"
    write_png(path, sheet(pictures, columns=5, side=300))
    captions = ["father", "mother", *STRATEGIES, *(f"age {age}" for age in AGES)]
    say("row by row: " + ", ".join(captions))
    wrote([path], as_json)


# Face shape from the father, complexion and skin from the mother; and the first dimensions, which hold what differs
# most between people, from the mother, the last ones from the father.
_OPTIONS: dict[str, dict[str, Any]] = {
    "layer": {"shares": {"0": 1.0}, "default": 0.0},
    "dimension": {"shares": [number / 511 for number in range(512)]},
}


def example(person: str) -> Path:
    """The studio portrait of one of the ten synthetic people of the package `openpeople`."""
    from importlib.util import find_spec

    spec = find_spec("openpeople")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("the example people are not installed: run `pip install kinblend[demo]`")
    folder = Path(spec.submodule_search_locations[0]) / "data" / "curated" / person / "assets"
    pictures = sorted(path for path in folder.iterdir() if "portrait" in path.name.lower())
    if not pictures:
        raise ModelError(f"the package openpeople has no portrait of {person}")
    return pictures[0]
