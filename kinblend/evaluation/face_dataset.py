"""Pictures of people to measure with."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import InputError
from kinblend.imaging import read_image
from kinblend.storage.archives import open_archive

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".webp", ".png", ".jpg", ".jpeg")


def read_faces(path: str | Path) -> list[Image]:
    """FFHQ-aligned pictures of different people, from a folder or a zip, by name. Raises `InputError`."""
    path = Path(path)
    faces = [picture for _, picture in _pictures(path)]
    if len(faces) < 3:
        raise InputError(f"{path} has {len(faces)} pictures ({', '.join(ENDINGS)}); at least 3 people are needed")
    return faces


def couples(people: int, count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Random couples of two different people, by their numbers; the same ones for the same seed."""
    numbers = random.Random(seed)
    found = (numbers.sample(range(people), 2) for _ in range(count))
    return [(father, mother) for father, mother in found]


def photographs(paths: Iterable[Path]) -> Iterator[tuple[str, Image]]:
    """Pictures by name: files, and those in folders and zips, by name. Raises `InputError`."""
    for path in paths:
        if path.is_dir() or path.suffix.lower() == ".zip":
            yield from _pictures(path)
        else:
            yield str(path), read_image(path)


def _pictures(path: Path) -> Iterator[tuple[str, Image]]:
    if path.is_dir():
        files = (file for file in sorted(path.rglob("*")) if file.suffix.lower() in ENDINGS)
        yield from ((str(file.relative_to(path)), read_image(file)) for file in files)
        return
    with open_archive(path) as archive:
        for name in sorted(archive.names()):
            if name.lower().endswith(ENDINGS):
                yield name, archive.picture(name)
