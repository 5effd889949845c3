"""A picture of any mode → plain upright RGB: orientation, colour profile, transparency, more than eight bits."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kinblend.cancellation import check_cancelled

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image, Transpose

STRIP = 2**20  # pixels that are converted at a time
ORIENTATION = 0x0112  # EXIF's tag
DEPTHS = (10, 12, 14, 16)  # bits of a value
SEEN = 16  # of 255: an alpha channel that stays below shows nothing of its picture


def _orientation(image: Image) -> Transpose | None:
    """How to turn a picture by its EXIF orientation; unreadable EXIF counts as none."""
    from PIL.Image import Transpose

    ways = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        return ways.get(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return None


def plain(image: Image) -> Image:
    """Any mode → upright RGB over white, in a fresh picture that carries no metadata.

    An alpha channel that is the same everywhere, or shows nothing, is no mask: the picture is read as opaque.
    In strips: beside the picture and what becomes of it no third of that size is in memory.
    """
    from PIL import Image as pil

    turn, convert, white, masked = _orientation(image), _to_srgb(image), _white(image), _is_masked(image)
    plain = pil.new("RGB", image.size, "white")
    for top, strip in _strips(image):
        check_cancelled()
        strip = convert(_eight_bits(strip, white))
        if not masked:
            plain.paste(_opaque(strip), (0, top))
        elif strip.has_transparency_data:
            strip = strip.convert("RGBA")
            plain.paste(strip, (0, top), strip.getchannel("A"))
        else:
            plain.paste(strip.convert("RGB"), (0, top))
    del image  # a file's picture has no other owner then
    return plain if turn is None else plain.transpose(turn)


def _is_masked(image: Image) -> bool:
    """Whether the picture has transparency that hides some of it and shows the rest."""
    if not image.has_transparency_data:
        return False
    import numpy as np

    low, high = 255, 0
    for _, strip in _strips(image):
        check_cancelled()
        alpha = np.asarray(strip.convert("RGBA").getchannel("A"))
        low, high = min(low, int(alpha.min())), max(high, int(alpha.max()))
        if low < high and high >= SEEN:
            return True
    return False


def _opaque(image: Image) -> Image:
    """RGB, whatever the alpha channel says."""
    from PIL import Image as pil

    if image.mode == "RGBa":  # its colours are multiplied by alpha, which is the same everywhere
        return pil.merge("RGB", image.split()[:3])
    if image.mode in ("LA", "La"):
        return image.getchannel("L").convert("RGB")
    image.info.pop("transparency", None)
    return image.convert("RGB")


def _strips(image: Image) -> Iterator[tuple[int, Image]]:
    """Parts of a picture as wide as it is, from top to bottom, each with its first row."""
    height = max(1, STRIP // max(1, image.width))
    for top in range(0, image.height, height):
        yield top, image.crop((0, top, image.width, min(image.height, top + height)))


def _to_srgb(image: Image) -> Callable[[Image], Image]:
    """From colours of another space, by the picture's own profile (Display P3, Adobe RGB, printers' CMYK), to sRGB.

    An unreadable profile, or one that does not fit the picture, counts as none.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return lambda strip: strip
    from PIL import ImageCms

    known = (ImageCms.PyCMSError, OSError, TypeError, ValueError)
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return lambda strip: strip
        wanted = "RGBA" if image.mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), image.mode, wanted)
    except known:
        return lambda strip: strip

    def convert(strip: Image) -> Image:
        try:
            return ImageCms.applyTransform(strip, transform) or strip
        except known:
            return strip

    return convert


def _is_deep(image: Image) -> bool:
    return image.mode == "F" or image.mode == "I" or image.mode.startswith("I;16")


def _white(image: Image) -> float:
    """The value that becomes 255, of grey of more than eight bits."""
    if not _is_deep(image):
        return 255.0
    highest = max(float(_values(strip).max(initial=0)) for _, strip in _strips(image))
    floats = 1.0 if highest <= 1 else 255.0  # by custom
    return floats if image.mode == "F" else white_of(highest)


def white_of(highest: float) -> float:
    """The value of white in a picture of integers of more than eight bits, by the highest that is in it.

    Cameras and scanners keep 10, 12 or 14 bits in files of 16, in the lower ones.
    """
    return next((white for bits in DEPTHS if highest <= (white := 2.0**bits - 1)), highest)


def _values(image: Image) -> NDArray[Any]:
    import numpy as np

    return np.nan_to_num(np.asarray(image).astype(np.float64))


def _eight_bits(image: Image, white: float) -> Image:
    """Grey of more than eight bits → uint8; other modes stay. Pillow would cut the values at 255."""
    import numpy as np
    from PIL import Image as pil

    if not _is_deep(image):
        return image
    return pil.fromarray(np.clip(np.rint(_values(image) * (255 / white)), 0, 255).astype(np.uint8))
