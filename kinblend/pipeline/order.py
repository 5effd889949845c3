"""What a run is asked for, checked before any work is done."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import UsageError, blame
from kinblend.imaging import to_picture
from kinblend.interfaces import Blender, Editor

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Picture = str | Path | Image | NDArray[Any]

MOST_SEED = 2**63 - 1  # what generators take
MOST_STRENGTH = 100.0  # of an edit, in units of its direction; three is a lot


@dataclass(frozen=True)
class Order:
    """Two pictures and what is to be made of them.

    pictures, faces: the father's, then the mother's; paths or RGB pictures, and which face of each.
    edits: attribute → strength. seeds: one for each child.
    """

    pictures: tuple[str | Path | Image, str | Path | Image]
    faces: tuple[int | None, int | None]
    blender: Blender
    editor: Editor | None
    edits: Mapping[str, float]
    seeds: tuple[int, ...]


def opened(picture: Picture) -> str | Path | Image:
    """A path as it is; a picture from memory upright and in RGB. Raises `ImageError`."""
    return picture if isinstance(picture, (str, Path)) else to_picture(picture)


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """The seeds of so many children. Raises `UsageError`."""
    try:
        first, count = operator.index(first), operator.index(count)
    except TypeError:
        raise UsageError(f"seed and children are whole numbers, not {first!r} and {count!r}") from None
    if count < 1:
        raise UsageError(f"children must be at least 1, not {count}")
    if not 0 <= first <= MOST_SEED - count:
        raise UsageError(f"seed {first}: use 0 to {MOST_SEED - count}")
    return tuple(range(first, first + count))


def checked_edits(editor: Editor, edits: Mapping[str, Any]) -> dict[str, float]:
    """Strengths as floats. Raises `UsageError` for an attribute that the editor doesn't know, and for a strength that
    is no number in [−100, 100]."""
    with blame(editor.title):
        known = dict(editor.attributes())
    strengths = {}
    for name, value in edits.items():
        if name not in known:
            names = ", ".join(known) or "none; see `kinblend editors show`"
            raise UsageError(f"{editor.title} can't move {name!r} of {editor.space.backbone}; it can move: {names}")
        try:
            strengths[name] = float(value)
        except (TypeError, ValueError):
            raise UsageError(f"the strength of {name!r} must be a number, not {value!r}") from None
        if not math.isfinite(strengths[name]) or abs(strengths[name]) > MOST_STRENGTH:
            raise UsageError(f"the strength of {name!r} is {value}; use −{MOST_STRENGTH:g} to {MOST_STRENGTH:g}")
    return strengths
