"""Photographs of synthetic people as they should not be: turned, cut off, covered, tongues out, eyes closed."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kinblend.faces import find_face

PEOPLE = ("P001", "P002", "P004", "P005", "P006", "P007", "P008", "P009", "P010")
COLUMNS = ROWS = 4  # of a sheet of expressions
TONGUES = dict.fromkeys(("P001", "P002", "P006", "P008", "P009", "P010"), (3, 2))  # row, column
CLOSED = {"P002": (2, 3), "P006": (2, 3), "P007": (3, 0), "P009": (3, 0), "P010": (2, 3)}
HANDS = {"P002": (3, 0)}
LONGEST = 640


def folder(person: str) -> Path:
    found = find_spec("openpeople")
    assert found is not None and found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / "data" / "curated" / person / "assets"


@cache
def photograph(person: str, kind: str = "studio_portrait", longest: int = LONGEST) -> Image.Image:
    image = Image.open(folder(person) / f"{kind}.jpg").convert("RGB")
    image.thumbnail((longest, longest))
    return image


@cache
def landmarks(person: str, kind: str = "studio_portrait") -> NDArray[np.float64]:
    return find_face(photograph(person, kind)).landmarks


def expression(person: str, place: tuple[int, int]) -> Image.Image:
    """One picture of the sheet of expressions, without its frame."""
    sheet = Image.open(folder(person) / "emotions_sheet.jpg").convert("RGB")
    row, column = place
    width, height = sheet.width / COLUMNS, sheet.height / ROWS
    return sheet.crop((int(column * width), int(row * height), int((column + 1) * width), int((row + 1) * height)))


def turned(image: Image.Image, degrees: float, fill: str = "grey") -> Image.Image:
    return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)


def cut(person: str, side: str, share: float) -> Image.Image:
    """The portrait without so much of the face's width or height, at one side."""
    image, (low, high) = photograph(person), (landmarks(person).min(0), landmarks(person).max(0))
    left, top, right, bottom = 0.0, 0.0, float(image.width), float(image.height)
    match side:
        case "left":
            left = low[0] + share * (high[0] - low[0])
        case "right":
            right = high[0] - share * (high[0] - low[0])
        case "top":
            top = low[1] + share * (high[1] - low[1])
        case _:
            bottom = high[1] - share * (high[1] - low[1])
    return image.crop((int(left), int(top), int(right), int(bottom)))


def covered(person: str, kind: str, colour: str) -> Image.Image:
    """The portrait with a mask, fingers, sunglasses, a fringe or a cup."""
    image, points = photograph(person).copy(), landmarks(person)
    draw = ImageDraw.Draw(image)
    eyes = float(np.hypot(*(points[36:42].mean(0) - points[42:48].mean(0))))
    pairs = [(float(x), float(y)) for x, y in points]
    mouth_x, mouth_y = points[48:68].mean(0)
    if kind == "mask":
        draw.polygon([*pairs[2:15], pairs[29]], fill=colour)
    elif kind == "fingers":
        for place in range(4):
            left = mouth_x + (place - 2) * 0.28 * eyes
            box = (left, mouth_y - 0.3 * eyes, left + 0.25 * eyes, mouth_y + 1.2 * eyes)
            draw.rounded_rectangle(box, radius=0.12 * eyes, fill=colour)
    elif kind == "sunglasses":
        for where in (slice(36, 42), slice(42, 48)):
            x, y = points[where].mean(0)
            draw.ellipse((x - 0.42 * eyes, y - 0.3 * eyes, x + 0.42 * eyes, y + 0.35 * eyes), fill=colour)
        draw.line([pairs[39], pairs[42]], fill=colour, width=int(0.08 * eyes))
    elif kind == "fringe":
        top = points[17:27, 1].min() - 0.8 * eyes
        for place in np.linspace(points[0, 0], points[16, 0], 40):
            end = (float(place + 0.1 * eyes), float(points[36:48, 1].max() + 0.3 * eyes))
            draw.line([(float(place), float(top)), end], fill=colour, width=int(0.09 * eyes))
    else:
        box = (mouth_x - 0.6 * eyes, mouth_y - 0.3 * eyes, mouth_x + 0.6 * eyes, mouth_y + eyes)
        draw.rectangle(box, fill=colour)
    return image


HIDDEN = {  # what each covers at least
    "mask": {"nose", "mouth"},
    "fingers": {"mouth"},
    "sunglasses": {"eyes"},
    "fringe": {"eyes"},
    "cup": {"mouth"},
}
