"""The installed distributions. One whose metadata can't be read is passed over here, and named.

`importlib.metadata.entry_points` reads those of all distributions or none. torch and pydantic call it unguarded when
they are imported, to look for extensions; `spare_libraries` has them not look where it would fail.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, EntryPoints, distributions
from pathlib import Path

# How these libraries are told not to look for extensions of other distributions.
SWITCHES = {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
ENTRY_POINTS = "entry_points.txt"


@dataclass(frozen=True)
class Unreadable:
    """A distribution whose metadata can't be read. reason: a sentence without its subject."""

    name: str
    version: str
    place: str
    reason: str


@cache
def entry_points() -> tuple[EntryPoints, tuple[Unreadable, ...]]:
    """The entry points of all distributions that can be read, and the other ones. Looked up once in a process."""
    points: list[EntryPoint] = []
    unreadable: list[Unreadable] = []
    seen: set[str] = set()
    for found in distributions():
        name, version = _identity(found)
        if name in seen:  # the first on the path is the one that Python imports
            continue
        seen.add(name)
        try:
            points += found.entry_points
        # Another's file may be anything: without a name, a folder, of another encoding.
        except Exception as error:
            place = str(getattr(found, "_path", "?"))
            unreadable.append(Unreadable(name, version, place, _reason(found, error)))
    return EntryPoints(points), tuple(unreadable)


def spare_libraries() -> None:
    """Where a distribution can't be read, have torch and pydantic not look for extensions: they could not start.

    An environment variable that is set already stays.
    """
    if entry_points()[1]:
        for name, value in SWITCHES.items():
            os.environ.setdefault(name, value)


def _identity(found: Distribution) -> tuple[str, str]:
    """Name and version as its folder is called ("name-1.0.dist-info"), which is cheaper than reading its metadata."""
    name, dash, version = Path(str(getattr(found, "_path", ""))).stem.partition("-")
    if dash:
        return _normal(name), version
    with suppress(Exception):
        return _normal(str(found.name)), str(found.version)
    return _normal(name) or "?", "?"


def _normal(name: str) -> str:
    """A distribution's name as folders are called by it."""
    return name.lower().replace("-", "_")


def _reason(found: Distribution, error: Exception) -> str:
    """What is wrong with the entry points: the line, where one is."""
    with suppress(Exception):
        for number, line in enumerate((found.read_text(ENTRY_POINTS) or "").splitlines(), start=1):
            text = line.strip()
            if text and not text.startswith(("#", "[")) and "=" not in text:
                return f"line {number} of its {ENTRY_POINTS}, {text[:60]!r}, is not NAME = MODULE"
    text = " ".join(str(error).split())
    return f"its {ENTRY_POINTS} can't be read: {type(error).__name__}: {text}"
