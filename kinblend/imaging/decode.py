"""Pictures in: whatever a camera or a scanner wrote becomes plain upright RGB."""

from __future__ import annotations

import io
import math
import os
import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from kinblend.cancellation import check_cancelled
from kinblend.errors import ImageError, KinblendError
from kinblend.files import open_plain

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image, Transpose

MAX_PIXELS = 64_000_000  # cameras call 8192 × 6144 fifty megapixels
MAX_SIDE = 65_535  # what JPEG can have; each row of a picture takes memory of its own
STRIP = 2**20  # pixels that are converted at a time
ORIENTATION = 0x0112  # EXIF's tag
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read a picture file: uint8 RGB, upright, transparency over white, without any metadata.

    JPEG, PNG, WebP, TIFF, BMP, GIF (its first frame) and PPM. Grey, palette, CMYK and 16-bit pictures and those of
    another colour space than sRGB are converted. Raises `ImageError`, which names the file, for anything else and for
    more than 64 megapixels or 65,535 pixels each way.
    """
    file = Path(path)
    try:
        with open_plain(file) as stream:
            return _read(str(file), stream, MAX_PIXELS)
    except FileNotFoundError:
        raise ImageError(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{file} is a folder; name a picture in it") from None
    except PermissionError:
        raise ImageError(f"{file} may not be read; check its permissions") from None
    except OSError as error:
        raise ImageError(f"{file} can't be read: {error.strerror or error}") from error


def decode_image(
    data: bytes, name: str = "the picture", *, most_pixels: int = MAX_PIXELS, keep: int | None = None
) -> Image:
    """As `read_image`, from the bytes of a picture file.

    name: what errors call it. most_pixels: how many it may have. keep: how many are enough; a larger picture is made
    smaller by a whole number. Raises `ImageError`.
    """
    try:
        return _read(name, io.BytesIO(data), most_pixels, keep)
    except OSError as error:
        raise ImageError(f"{name} can't be read: {error}") from error


def to_picture(image: Image | NDArray[Any]) -> Image:
    """A picture from memory, as `read_image` gives one from a file: RGB, upright, sRGB, without metadata.

    image: a PIL picture of any mode, or a uint8 array [H, W], [H, W, 3] (RGB) or [H, W, 4] (RGB and alpha).
    Raises `ImageError`.
    """
    import numpy as np
    from PIL import Image as pil

    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,), (4,)):
            found = f"{image.dtype} {list(image.shape)}"
            raise ImageError(f"a picture as an array is uint8 [H, W], [H, W, 3] or [H, W, 4], not {found}")
        image = pil.fromarray(image)
    if not isinstance(image, pil.Image):
        raise ImageError(f"a {type(image).__name__} is not a picture; give a path, a PIL picture or a uint8 array")
    try:
        return _plain(image)
    except KinblendError:
        raise
    except Exception as error:
        raise ImageError(f"the picture is truncated or damaged: {error}; get the original again") from error


def _read(file: str, stream: BinaryIO, most_pixels: int, keep: int | None = None) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about size and odd EXIF: both are handled here
        _refuse_by_name(file, stream.read(64))
        stream.seek(0)
        return _decode(file, stream, most_pixels, keep)


def _refuse_by_name(file: str, head: bytes) -> None:
    if not head:
        raise ImageError(f"{file} is empty")
    if head[4:8] != b"ftyp":
        return
    brands = head[8:]
    if b"avif" in brands or b"avis" in brands:
        kind = "an AVIF"
    elif any(brand in brands for brand in HEIC_BRANDS):
        kind = "a HEIC"
    else:
        return
    raise ImageError(f"{file} is {kind} picture, which kinblend doesn't read; save it as JPEG or PNG and try again")


def _decode(file: str, stream: BinaryIO, most_pixels: int, keep: int | None) -> Image:
    from PIL import Image as pil
    from PIL import UnidentifiedImageError

    try:
        image = pil.open(stream, formats=FORMATS)
    except UnidentifiedImageError:
        raise ImageError(
            f"{file} is not a picture that kinblend reads; use JPEG, PNG, WebP, TIFF, BMP or GIF"
        ) from None
    except pil.DecompressionBombError as error:
        number = re.search(r"\d+", str(error))
        raise _too_large(file, int(number.group()) if number else 2 * MAX_PIXELS, most_pixels) from None
    except Exception as error:
        raise ImageError(f"{file} is damaged: {error}; get the original file again") from error
    if image.width * image.height > most_pixels:
        raise _too_large(file, image.width * image.height, most_pixels)
    if max(image.size) > MAX_SIDE:
        raise ImageError(f"{file} is {image.width}×{image.height} pixels; at most {MAX_SIDE} are read each way")
    try:
        factor = 1 if keep is None else math.ceil(math.sqrt(image.width * image.height / keep))
        if factor > 1:
            image.draft(None, (image.width // factor, image.height // factor))
        image.load()
        factor = 1 if keep is None else math.ceil(math.sqrt(image.width * image.height / keep))
        return _reduced(_plain(image), factor)
    except KinblendError:
        raise
    except Exception as error:
        raise ImageError(f"{file} is truncated or damaged: {error}; get the original file again") from error


def _reduced(image: Image, factor: int) -> Image:
    return image.reduce(factor) if factor > 1 else image


def _too_large(file: str, pixels: int, most: int) -> ImageError:
    return ImageError(
        f"{file} has {pixels / 1e6:.1f} megapixels; at most {most / 1e6:.0f} are read. Save a smaller version"
    )


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


def _plain(image: Image) -> Image:
    """Any mode → upright RGB in a fresh picture that carries no metadata.

    In strips: beside the picture and what becomes of it no third of that size is in memory.
    """
    from PIL import Image as pil

    turn, convert, white = _orientation(image), _to_srgb(image), _white(image)
    plain = pil.new("RGB", image.size, "white")
    for top, strip in _strips(image):
        check_cancelled()
        strip = convert(_eight_bits(strip, white))
        if strip.has_transparency_data:
            strip = strip.convert("RGBA")
            plain.paste(strip, (0, top), strip.getchannel("A"))
        else:
            plain.paste(strip.convert("RGB"), (0, top))
    del image  # a file's picture has no other owner then
    return plain if turn is None else plain.transpose(turn)


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
    return floats if image.mode == "F" else max(65535.0, highest)


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
