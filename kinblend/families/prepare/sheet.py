"""Contact sheets of the pictures that were left out, so that someone can look whether that was right."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import ImageError
from kinblend.files import atomic_write

if TYPE_CHECKING:
    from PIL.Image import Image

CELL, CAPTION = 120, 28  # px
ACROSS, DOWN = 10, 10


def sheet_names(pictures: int) -> list[str]:
    """The names of the sheets for so many pictures: rejected-001.png …"""
    return [f"rejected-{number:03d}.png" for number in range(1, -(-pictures // (ACROSS * DOWN)) + 1)]


def write_sheets(out: Path, pictures: Sequence[tuple[Path, str]]) -> None:
    """Write the sheets, a hundred pictures each with its caption."""
    for number, name in enumerate(sheet_names(len(pictures))):
        start, data = number * ACROSS * DOWN, io.BytesIO()
        _sheet(pictures[start : start + ACROSS * DOWN]).save(data, "PNG")
        atomic_write(out / name, data.getvalue())


def _sheet(pictures: Sequence[tuple[Path, str]]) -> Image:
    from PIL import Image as pil
    from PIL import ImageDraw

    rows = -(-len(pictures) // ACROSS)
    sheet = pil.new("RGB", (ACROSS * CELL, rows * (CELL + CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (picture, caption) in enumerate(pictures):
        left, top = place % ACROSS * CELL, place // ACROSS * (CELL + CAPTION)
        sheet.paste(_thumbnail(picture), (left, top))
        for line, text in enumerate((caption[:20], caption[20:40])):
            draw.text((left + 2, top + CELL + 12 * line), text.encode("ascii", "replace").decode(), "black")
    return sheet


def _thumbnail(picture: Path) -> Image:
    """A small copy; a grey square where the picture can't be read."""
    from PIL import Image as pil

    from kinblend.imaging.decode import read_image

    try:
        image = read_image(picture)
    except ImageError:
        return pil.new("RGB", (CELL - 4, CELL - 4), "grey")
    image.thumbnail((CELL - 4, CELL - 4))
    return image
