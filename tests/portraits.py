"""Portraits of the example people as files of fewer pixels: less to read and to look for a face in."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from PIL import Image

from kinblend.cli.demo import example

SIDE = 640


@cache
def portrait(person: str) -> Path:
    """The portrait with at most 640 pixels a side; the file is there until this process ends."""
    path = _folder() / f"{person}.jpg"
    picture = Image.open(example(person)).convert("RGB")
    picture.thumbnail((SIDE, SIDE))
    picture.save(path, quality=95)
    return path


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kinblend-portraits-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
