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
    from torch import Tensor

    from kinblend.pipeline.result import Parent

    Picture = str | Path | Image | NDArray[Any] | Parent

MOST_SEED = 2**63 - 1  # what generators take
MOST_STRENGTH = 100.0  # of an edit, in units of its direction; three is a lot
UNITS = {"y": "years"}  # as they are written behind a number: age=8y


@dataclass(frozen=True)
class Target:
    """What an attribute is to become, in its own unit: 8 "years"."""

    value: float
    unit: str

    def __str__(self) -> str:
        return f"{self.value:g} {self.unit}"


Wish = float | Target  # a strength, or a target


@dataclass(frozen=True)
class Order:
    """Two pictures and what is to be made of them.

    pictures, faces: the father's, then the mother's; paths, RGB pictures or people known already, and which face of
    each.
    edits: attribute → strength or target. seeds: one for each child. neutral: whether both parents' expressions are
    calmed and their heads turned ahead before they are blended.
    """

    pictures: tuple[str | Path | Image | Parent, str | Path | Image | Parent]
    faces: tuple[int | None, int | None]
    blender: Blender
    editor: Editor | None
    edits: Mapping[str, Wish]
    seeds: tuple[int, ...]
    neutral: bool = True


def opened(picture: Picture) -> str | Path | Image | Parent:
    """A path or a parent as it is; a picture from memory upright and in RGB. Raises `ImageError`."""
    from kinblend.pipeline.result import Parent

    return picture if isinstance(picture, (str, Path, Parent)) else to_picture(picture)


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


def checked_edits(editor: Editor, edits: Mapping[str, Any]) -> dict[str, Wish]:
    """Edits as strengths and targets: -2, "-2" or "8y".

    Raises `UsageError` for an attribute the editor does not know, and for a value that is neither or out of range.
    """
    with blame(editor.title):
        known = dict(editor.attributes())
    for name in edits:
        if name not in known:
            names = ", ".join(known) or "none; see `kinblend editors show`"
            raise UsageError(f"{editor.title} can't move {name!r} of {editor.space.backbone}; it can move: {names}")
    return {name: value if isinstance(value, Target) else _wish(name, value) for name, value in edits.items()}


def strengths_for(editor: Editor, code: Tensor, wishes: Mapping[str, Wish]) -> dict[str, float]:
    """The strengths that fulfil wishes for a code, float32 [L, D]. Raises `UsageError` where there is none."""
    return {
        name: editor.strength_towards(code, name, wish.value, wish.unit) if isinstance(wish, Target) else wish
        for name, wish in wishes.items()
    }


def _wish(name: str, value: Any) -> Wish:
    text = value.strip() if isinstance(value, str) else value
    unit = UNITS.get(text[-1:]) if isinstance(text, str) else None
    try:
        number = float(text[:-1] if unit else text)
    except (TypeError, ValueError):
        raise UsageError(f"{name}={value!r}: give a strength (-2) or a target with its unit (8y)") from None
    if not math.isfinite(number) or abs(number) > MOST_STRENGTH:
        raise UsageError(f"{name}={value}: use −{MOST_STRENGTH:g} to {MOST_STRENGTH:g}")
    return Target(number, unit) if unit else number
