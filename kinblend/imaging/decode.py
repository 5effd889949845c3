"""Pictures in: whatever a camera or a scanner wrote becomes plain upright RGB."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read a picture file: uint8 RGB, upright, transparency over white, without any metadata.

    JPEG, PNG, WebP, TIFF, BMP, GIF (its first frame) and PPM. Grey, palette, CMYK and 16-bit pictures are
    converted. Raises `ImageError`, which names the file, for anything else and for more than 50 megapixels.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about size and odd EXIF: both are handled here
            _refuse_by_name(file, stream.read(64))
            stream.seek(0)
            return _decode(file, stream)
    except FileNotFoundError:
        raise ImageError(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{file} is a folder; name a picture in it") from None
    except PermissionError:
        raise ImageError(f"{file} may not be read; check its permissions") from None


def _refuse_by_name(file: Path, head: bytes) -> None:
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


def _decode(file: Path, stream: Any) -> Image:
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
        raise _too_large(file, int(number.group()) if number else 2 * MOST_PIXELS) from None
    except Exception as error:
        raise ImageError(f"{file} is damaged: {error}; get the original file again") from error
    if image.width * image.height > MOST_PIXELS:
        raise _too_large(file, image.width * image.height)
    try:
        image.load()
        return _plain(_upright(image))
    except Exception as error:
        raise ImageError(f"{file} is truncated or damaged: {error}; get the original file again") from error


def _too_large(file: Path, pixels: int) -> ImageError:
    return ImageError(
        f"{file} has {pixels / 1e6:.1f} megapixels; at most {MOST_PIXELS / 1e6:.0f} are read. Save a smaller version"
    )


def _upright(image: Image) -> Image:
    """Apply the EXIF orientation; unreadable EXIF counts as none."""
    from PIL import ImageOps

    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _plain(image: Image) -> Image:
    """Any mode → RGB in a fresh picture that carries no metadata."""
    from PIL import Image as pil

    image = _eight_bits(image)
    plain = pil.new("RGB", image.size, "white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        plain.paste(image, mask=image.getchannel("A"))
    else:
        plain.paste(image.convert("RGB"))
    return plain


def _eight_bits(image: Image) -> Image:
    """Grey of more than eight bits → uint8; other modes stay. Pillow would cut the values at 255."""
    import numpy as np
    from PIL import Image as pil

    if not (image.mode == "F" or image.mode == "I" or image.mode.startswith("I;16")):
        return image
    values = np.nan_to_num(np.asarray(image).astype(np.float64))
    highest = float(values.max(initial=0))
    floats = 1.0 if highest <= 1 else 255.0  # by custom
    white = floats if image.mode == "F" else max(65535.0, highest)
    return pil.fromarray(np.clip(np.rint(values * (255 / white)), 0, 255).astype(np.uint8))
