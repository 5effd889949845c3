"""Several pictures side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

GAP = 8  # pixels between pictures


def sheet(pictures: Sequence[Image], *, columns: int | None = None, side: int = 384) -> Image:
    """One RGB picture with all of `pictures`, each `side` pixels square, on white, row by row."""
    from PIL import Image as pil

    columns = columns or len(pictures)
    rows = -(-len(pictures) // columns)
    step = side + GAP
    canvas = pil.new("RGB", (columns * step - GAP, rows * step - GAP), "white")
    for index, picture in enumerate(pictures):
        resized = picture.resize((side, side), pil.Resampling.LANCZOS)
        canvas.paste(resized, (index % columns * step, index // columns * step))
    return canvas
