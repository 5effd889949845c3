"""Pictures in: whatever a camera or a scanner wrote becomes plain upright RGB."""

from __future__ import annotations

import io
import math
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from kinblend.errors import ImageError, KinblendError
from kinblend.files import open_plain
from kinblend.imaging.deep import deepened
from kinblend.imaging.jpeg_end import load
from kinblend.imaging.optional_formats import find_decoder
from kinblend.imaging.plain import plain

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MAX_PIXELS = 64_000_000  # cameras call 8192 × 6144 fifty megapixels
MAX_SIDE = 65_535  # what JPEG can have; each row of a picture takes memory of its own
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read a picture file: uint8 RGB, upright, transparency over white, without any metadata.

    JPEG, PNG, WebP, TIFF, BMP, GIF (its first frame) and PPM; AVIF, HEIC and JPEG XL where a decoder is installed.
    What it is, the content says, not the name. Grey, palette, CMYK and 16-bit pictures and those of another colour
    space than sRGB are converted; a JPEG without its end is read where its pixels are there. Raises `ImageError`,
    which names the file, for anything else and for more than 64 megapixels or 65,535 pixels each way.
    """
    file = Path(path)
    try:
        with open_plain(file) as stream:
            return _read(str(file), stream, MAX_PIXELS)
    except FileNotFoundError:
        raise ImageError(f"{file} does not exist") from None
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
        return plain(image)
    except KinblendError:
        raise
    except Exception as error:
        raise ImageError(f"the picture is truncated or damaged: {error}; get the original again") from error


def _read(file: str, stream: BinaryIO, most_pixels: int, keep: int | None = None) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about size and odd EXIF: both are handled here
        head = stream.read(64)
        if not head:
            raise ImageError(f"{file} is empty")
        extra = find_decoder(file, head)
        stream.seek(0)
        return _decode(file, stream, most_pixels, keep, [*FORMATS, *([extra] if extra else [])])


def _decode(file: str, stream: BinaryIO, most_pixels: int, keep: int | None, formats: list[str]) -> Image:
    from PIL import Image as pil
    from PIL import UnidentifiedImageError

    try:
        image: Image = pil.open(stream, formats=formats)
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

    def reopen(end: bytes = b"") -> Image:
        """The same file again, with another end; half a marker at its end is left away."""
        stream.seek(0)
        whole = io.BytesIO(stream.read().rstrip(b"\xff") + end) if end else stream
        return pil.open(whole, formats=formats)

    try:
        factor = 1 if keep is None else math.ceil(math.sqrt(image.width * image.height / keep))
        if factor > 1:
            image.draft(None, (image.width // factor, image.height // factor))
        image = deepened(load(image, reopen), reopen)
        factor = 1 if keep is None else math.ceil(math.sqrt(image.width * image.height / keep))
        return _reduced(plain(image), factor)
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
