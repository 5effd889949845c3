"""JPEG files whose end is missing: read where every pixel, or nearly every one, is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

END = b"\xff\xd9"  # the marker at the end
MORE = b"\x55" * 4096  # any data that could go on a scan
MISSING = 0.005  # share of the pixels that may be missing

Reopen = Callable[[bytes], "Image"]


def load(image: Image, reopen: Reopen) -> Image:
    """Decode an opened picture, and return it.

    A JPEG that breaks off is read as if it went on in two ways. Where its data were complete, both give the same
    picture. Raises Pillow's errors, `OSError` among them, where they were not, and for other formats.
    reopen: opens the same file again, with some bytes added at its end.
    """
    try:
        image.load()
    except OSError:
        if image.format != "JPEG":
            raise
        whole = _completed(image, reopen(END))
        if _differing(whole, _completed(image, reopen(MORE + END))) > MISSING:
            raise
        return whole
    return image


def _completed(image: Image, again: Image) -> Image:
    """The reopened picture, decoded at the size of the first."""
    if again.size != image.size:
        again.draft(None, image.size)
    again.load()
    return again


def _differing(one: Image, other: Image) -> float:
    """The share of pixels that are not the same."""
    import numpy as np

    apart = np.asarray(one) != np.asarray(other)
    return float((apart if apart.ndim == 2 else apart.any(axis=2)).mean())
