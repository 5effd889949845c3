"""Pictures of people to measure with."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from kinblend.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".webp", ".png", ".jpg", ".jpeg")


def read_faces(path: str | Path) -> list[Image]:
    """FFHQ-aligned pictures of different people, from a folder or a zip, by name. Raises `InputError`."""
    from PIL import Image as pil

    path = Path(path)
    try:
        faces = [pil.open(io.BytesIO(data)).convert("RGB") for data in _files(path)]
    except (OSError, BadZipFile) as error:
        raise InputError(f"{path} can't be read as a folder or zip of pictures: {error}") from error
    if len(faces) < 3:
        raise InputError(f"{path} has {len(faces)} pictures ({', '.join(ENDINGS)}); at least 3 people are needed")
    return faces


def couples(people: int, count: int, seed: int = 0) -> list[tuple[int, int]]:
    """Random couples of two different people, by their numbers; the same ones for the same seed."""
    numbers = random.Random(seed)
    found = (numbers.sample(range(people), 2) for _ in range(count))
    return [(father, mother) for father, mother in found]


def _files(path: Path) -> Iterator[bytes]:
    if path.is_dir():
        yield from (file.read_bytes() for file in sorted(path.rglob("*")) if file.suffix.lower() in ENDINGS)
        return
    with ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            if name.lower().endswith(ENDINGS):
                yield archive.read(name)
