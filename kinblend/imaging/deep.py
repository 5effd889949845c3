"""Colour of 10, 12 or 14 bits in files of 16: Pillow keeps the upper eight bits alone, which are nearly black."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kinblend.imaging.plain import white_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

DARK = 64  # of 256: what the upper eight bits of 14 stay below
SWAPPED = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
GREY = "LA;16B"  # Pillow's name of grey and alpha of 16 bits each


def deepened(image: Image, reopen: Callable[[], Image]) -> Image:
    """A decoded picture as it is; one whose file has 16 bits a colour and fills at most 14 of them, made as bright
    as its depth says.

    The lower eight bits come by decoding again as if the bytes were in the other order. reopen: opens the file again.
    """
    import numpy as np
    from PIL import Image as pil

    if image.mode not in ("RGB", "RGBA") or image.format not in ("PNG", "TIFF"):
        return image
    if int(np.asarray(image)[..., :3].max(initial=0)) >= DARK:
        return image
    again = reopen()
    mode = _reorder(again)
    if not mode:
        return image
    again.load()
    values = _values(image, again, mode)
    found = pil.fromarray(np.rint(values * (255 / white_of(float(values.max())))).astype(np.uint8))
    if image.mode == "RGBA":
        found.putalpha(image.getchannel("A"))
    found.info = dict(image.info)
    found.getexif().update(image.getexif())
    return found


def _values(image: Image, again: Image, mode: str) -> NDArray[Any]:
    """All sixteen bits of the colours, uint16 [H, W, 3]."""
    import numpy as np

    lower = np.asarray(again).astype(np.uint16)
    if mode == GREY:  # its bytes came as they are: grey's upper and lower, then alpha's
        return np.repeat((lower[..., :1] << 8) | lower[..., 1:2], 3, axis=2)
    return (np.asarray(image).astype(np.uint16)[..., :3] << 8) | lower[..., :3]


def _reorder(image: Image) -> str:
    """Make the decoder of an opened picture take the lower bytes in the place of the upper ones.

    Returns Pillow's name of how its values lie in the file; empty where they have no 16 bits.
    """
    tiles, found = [], ""
    for tile in getattr(image, "tile", []):
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        mode = str(arguments[0])
        if ";16" in mode and mode[-1] in SWAPPED:
            found = mode
            arguments = ("RGBA" if mode == GREY else mode[:-1] + SWAPPED[mode[-1]], *arguments[1:])
        tiles.append(tile._replace(args=arguments if isinstance(tile.args, tuple) else arguments[0]))
    if found:
        image.tile = tiles  # type: ignore[attr-defined]
    return found
