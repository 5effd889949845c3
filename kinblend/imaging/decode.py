"""Pictures in: whatever a camera or a scanner wrote becomes plain upright RGB."""

from __future__ import annotations

import io
import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from kinblend.cancelling import check_cancelled
from kinblend.errors import ImageError, KinblendError
from kinblend.files import open_plain

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MOST_PIXELS = 64_000_000  # cameras call 8192 × 6144 fifty megapixels
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def read_image(path: str | os.PathLike[str]) -> Image:
    """Read a picture file: uint8 RGB, upright, transparency over white, without any metadata.

    JPEG, PNG, WebP, TIFF, BMP, GIF (its first frame) and PPM. Grey, palette, CMYK and 16-bit pictures and those of
    another colour space than sRGB are converted. Raises `ImageError`, which names the file, for anything else and for
    more than 64 megapixels.
    """
    file = Path(path)
    try:
        with open_plain(file) as stream:
            return _read(str(file), stream, MOST_PIXELS)
    except FileNotFoundError:
        raise ImageError(f"{file}: there is no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{file} is a folder; name a picture in it") from None
    except PermissionError:
        raise ImageError(f"{file} may not be read; check its permissions") from None
    except OSError as error:
        raise ImageError(f"{file} can't be read: {error.strerror or error}") from error


def decode_image(data: bytes, name: str = "the picture", *, most_pixels: int = MOST_PIXELS) -> Image:
    """As `read_image`, from the bytes of a picture file.

    name: what errors call it. most_pixels: how many it may have. Raises `ImageError`.
    """
    try:
        return _read(name, io.BytesIO(data), most_pixels)
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
        raise ImageError(f"a {type(image).__name__} is no picture; give a path, a PIL picture or a uint8 array")
    try:
        return _plain(_upright(image))
    except Exception as error:
        raise ImageError(f"the picture is truncated or damaged: {error}; get the original again") from error


def _read(file: str, stream: BinaryIO, most_pixels: int) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, about size and odd EXIF: both are handled here
        _refuse_by_name(file, stream.read(64))
        stream.seek(0)
        return _decode(file, stream, most_pixels)


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


def _decode(file: str, stream: BinaryIO, most_pixels: int) -> Image:
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
        raise _too_large(file, int(number.group()) if number else 2 * MOST_PIXELS, most_pixels) from None
    except Exception as error:
        raise ImageError(f"{file} is damaged: {error}; get the original file again") from error
    if image.width * image.height > most_pixels:
        raise _too_large(file, image.width * image.height, most_pixels)
    try:
        image.load()
        return _plain(_upright(image))
    except KinblendError:
        raise
    except Exception as error:
        raise ImageError(f"{file} is truncated or damaged: {error}; get the original file again") from error


def _too_large(file: str, pixels: int, most: int) -> ImageError:
    return ImageError(
        f"{file} has {pixels / 1e6:.1f} megapixels; at most {most / 1e6:.0f} are read. Save a smaller version"
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

    check_cancelled()
    image = _in_srgb(_eight_bits(image))
    check_cancelled()
    plain = pil.new("RGB", image.size, "white")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        plain.paste(image, mask=image.getchannel("A"))
    else:
        plain.paste(image.convert("RGB"))
    return plain


def _in_srgb(image: Image) -> Image:
    """Colours of another space by the picture's own profile (Display P3, Adobe RGB, printers' CMYK) → sRGB.

    An unreadable profile, or one that does not fit the picture, counts as none.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        wanted = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=wanted)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image
    return image if converted is None else converted


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
