"""Several pictures side by side, each with a line below it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.imaging.fonts import font_for

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 8  # pixels between pictures
SMALLEST = 9  # pixels, of a caption's letters
LINE = 14  # a caption's height is a side's this part


def sheet(
    pictures: Sequence[Image], *, columns: int | None = None, side: int = 384, captions: Sequence[str] = ()
) -> Image:
    """One RGB picture with all of `pictures`, each `side` pixels square, on white, row by row.

    captions: one for each picture, written below it.
    """
    from PIL import Image as pil

    columns = columns or len(pictures)
    rows = -(-len(pictures) // columns)
    line = side // LINE if captions else 0
    across, down = side + GAP, side + GAP + (line + GAP if captions else 0)
    canvas = pil.new("RGB", (columns * across - GAP, rows * down - GAP), "white")
    for index, picture in enumerate(pictures):
        left, top = index % columns * across, index // columns * down
        canvas.paste(picture.resize((side, side), pil.Resampling.LANCZOS), (left, top))
        if captions:
            write_caption(canvas, captions[index], (left, top + side), (side, line + GAP))
    return canvas


def write_caption(
    canvas: Image,
    text: str,
    corner: tuple[int, int],
    size: tuple[int, int],
    *,
    fill: str = "black",
    font: Path | None = None,
) -> None:
    """Write a line into the middle of a box of a picture, smaller and then shorter where it would not fit.

    corner: the box's left upper one. size: its width and height in pixels. font: a file, in the place of `font_for`'s
    choice.
    """
    from PIL import ImageDraw

    draw = ImageDraw.Draw(canvas)
    height = size[1] - GAP
    letters = font_for(text, height, font)
    while height > SMALLEST and draw.textlength(text, font=letters) > size[0]:
        height -= 1
        letters = font_for(text, height, font)
    whole = text
    while whole and draw.textlength(text, font=letters) > size[0]:
        whole = whole[:-1]
        text = f"{whole}…"
    middle = (corner[0] + size[0] / 2, corner[1] + size[1] / 2)
    draw.text(middle, text, fill=fill, font=letters, anchor="mm")
