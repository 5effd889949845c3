"""`kinblend traverse`: a table, a page, and a picture of each element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kinblend.evaluation.traversal import People, Traversal, difference
from kinblend.faces.face_regions import REGIONS
from kinblend.files import atomic_write
from kinblend.imaging import to_pictures
from kinblend.imaging.encode import png_bytes
from kinblend.imaging.sheet import sheet
from kinblend.storage.tables import write_table

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

SHOWN = 4  # people in a picture
SIDE = 224  # px of each
BRIGHTEST = 0.998  # of the pixels' differences; the others are white as well
HEAD = ("element", "grey levels", "above controls", "most in", "nearest attribute", "its change, sd")


def write_traversals(folder: Path, found: Sequence[Traversal], people: People, reach: float) -> list[Path]:
    """Write `report.md`, `elements.csv` and a PNG for each element into the folder; returns the paths."""
    pictures = []
    for one in found:
        path = folder / f"element-{str(one.effect.element).replace(':', '-')}.png"
        atomic_write(path, png_bytes(picture_of(one, people, reach)))
        pictures.append(path)
    columns = {"layer": int, "dimension": int, "control": int, "measure": str, "value": float} | dict.fromkeys(
        ("low", "high"), float
    )
    write_table(folder / "elements.csv", columns, list(_rows(found)))
    atomic_write(folder / "report.md", _page(found, reach, len(people.codes)).encode())
    return [folder / "report.md", folder / "elements.csv", *pictures]


def summary_row(one: Traversal) -> list[str]:
    """The cells of `HEAD`."""
    effect, nearest = one.effect, one.effect.nearest
    most = max(effect.regions, key=lambda region: effect.regions[region])
    above = f"{one.moved_more} of {len(one.controls)}"
    if nearest is None:
        return [str(effect.element), f"{effect.change:.2f}", above, most, "none", ""]
    name, change = nearest
    sure = "" if abs(change.mean) > one.chance else " (not above controls)"
    return [str(effect.element), f"{effect.change:.2f}", above, most, f"{name}{sure}", str(change)]


def summary(one: Traversal) -> dict[str, Any]:
    """What there is to say of an element, for JSON."""
    effect, nearest = one.effect, one.effect.nearest
    return {
        "element": str(effect.element),
        "change": effect.change,
        "regions": dict(effect.regions),
        "controls_that_change_less": one.moved_more,
        "controls": len(one.controls),
        "largest_change_of_controls": one.chance,
        "nearest": nearest and nearest[0],
        "attributes": {name: [e.mean, e.low, e.high] for name, e in effect.attributes.items()},
    }


def picture_of(one: Traversal, people: People, reach: float) -> Image:
    """A row for each of a few people: lower end, unchanged, upper end, and where the ends differ."""
    ends, unchanged = one.ends[:SHOWN], people.pictures[:SHOWN]
    apart = difference(ends)
    strongest = float(apart.flatten().quantile(BRIGHTEST)) or 1.0
    pictures: list[Image] = []
    for (low, high), middle, where in zip(ends, unchanged, apart / strongest, strict=True):
        pictures += [*to_pictures(torch.stack([low, middle, high])), heat(where)]
    element = one.effect.element
    captions = [
        f"{element} -{reach:g} sd",
        "unchanged",
        f"{element} +{reach:g} sd",
        f"difference, 0 to {strongest:.0f} of 255",
    ]
    return sheet(pictures, columns=4, side=SIDE, captions=captions * len(ends))


def heat(values: Tensor) -> Image:
    """Values [S, S] in [0, 1] as a picture: black, red, yellow, white."""
    bands = torch.stack([values * 3, values * 3 - 1, values * 3 - 2]).clamp(0, 1)
    return to_pictures(bands[None] * 2 - 1)[0]


def _rows(found: Sequence[Traversal]) -> Iterator[dict[str, Any]]:
    """One for each figure; control is 0 for the element itself, and counts those beside it."""
    for one in found:
        for number, effect in enumerate((one.effect, *one.controls)):
            place = {"layer": effect.element.layer, "dimension": effect.element.dimension, "control": number}
            yield {**place, "measure": "grey levels", "value": effect.change, "low": None, "high": None}
            for region, value in effect.regions.items():
                yield {**place, "measure": f"grey levels, {region}", "value": value, "low": None, "high": None}
            for name, change in effect.attributes.items():
                yield {**place, "measure": name, "value": change.mean, "low": change.low, "high": change.high}


def _page(found: Sequence[Traversal], reach: float, people: int) -> str:
    lines = [HEAD, ("---",) * len(HEAD), *(summary_row(one) for one in found)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    parts = [("element", *REGIONS), ("---",) * (len(REGIONS) + 1)]
    parts += [
        (str(one.effect.element), *(f"{one.effect.regions[region]:.2f}" for region in REGIONS)) for one in found
    ]
    regions = "".join(f"| {' | '.join(line)} |\n" for line in parts)
    shown = "\n".join(
        f"![element {one.effect.element}](element-{str(one.effect.element).replace(':', '-')}.png)\n" for one in found
    )
    return (
        f"# What elements of a code do\n\nOf {people} people, each element moved from −{reach:g} to +{reach:g} of "
        "its standard deviations; every figure is for one standard deviation. Controls are random elements of the "
        "same layer. An attribute's change is in standard deviations of people, with a 95 % interval over the "
        "people; the nearest is the one that changes most of those whose interval excludes 0.\n\n"
        f"{table}\n## Grey levels by part of the picture\n\n{regions}\n{shown}"
    )
