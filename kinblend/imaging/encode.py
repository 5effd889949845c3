"""Pictures out: PNG, JPEG and WebP files that say what they are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import OutputError
from kinblend.files import atomic_write, open_plain

if TYPE_CHECKING:
    from PIL.Image import Exif, Image


DESCRIPTION, SOFTWARE = 0x010E, 0x0131  # EXIF's tags
KINDS = (".png", ".jpg", ".jpeg", ".webp")
COMPRESSION = 4  # of PNGs; zlib's own 6 takes nearly three times as long for faces of 1024 px, and saves a hundredth
SIDES = {".webp": 16_383, ".jpg": 65_535, ".jpeg": 65_535}  # px, the longest that the format knows


def png_bytes(image: Image, *, synthetic: bool = True, dpi: int | None = None) -> bytes:
    """An RGB picture as the bytes of a PNG file whose text chunks name kinblend and its version.

    dpi: pixels to an inch, for paper; None says nothing of it.
    """
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Software", software())
    if synthetic:
        texts.add_text("Description", statement())
    file = io.BytesIO()
    image.convert("RGB").save(
        file, "PNG", pnginfo=texts, compress_level=COMPRESSION, icc_profile=None, exif=b"", **_density(dpi)
    )
    return file.getvalue()


def jpeg_bytes(image: Image, *, quality: int = 92, synthetic: bool = True, dpi: int | None = None) -> bytes:
    """An RGB picture as a JPEG file; its comment says what `png_bytes` says. quality: 1 to 95. dpi: see there."""
    file = io.BytesIO()
    comment = statement() if synthetic else software()
    image.convert("RGB").save(file, format="JPEG", quality=quality, comment=comment.encode(), **_density(dpi))
    return file.getvalue()


def gif_bytes(frames: Sequence[Image], milliseconds: Sequence[int]) -> bytes:
    """RGB pictures of one size as a GIF that plays for ever; its comment says what `png_bytes` says.

    milliseconds: how long each is shown, in steps of 10.
    """
    file, (first, *others) = io.BytesIO(), [frame.convert("RGB") for frame in frames]
    comment, shown = statement().encode(), list(milliseconds)
    first.save(file, "GIF", save_all=True, append_images=others, duration=shown, loop=0, comment=comment)
    return file.getvalue()


def moving_webp_bytes(frames: Sequence[Image], milliseconds: Sequence[int], *, quality: int = 88) -> bytes:
    """RGB pictures of one size as a WebP that plays for ever; its EXIF description says what `png_bytes` says.

    milliseconds: how long each is shown. quality: 1 to 100.
    """
    file, (first, *others) = io.BytesIO(), [frame.convert("RGB") for frame in frames]
    shown = {"save_all": True, "append_images": others, "duration": list(milliseconds), "loop": 0}
    first.save(file, format="WEBP", quality=quality, exif=_exif(statement()), **shown)
    return file.getvalue()


def webp_bytes(image: Image, *, quality: int = 92, synthetic: bool = True) -> bytes:
    """An RGB picture as a WebP file; its EXIF description says what `png_bytes` says. quality: 1 to 100."""
    file = io.BytesIO()
    exif = _exif(statement() if synthetic else software())
    image.convert("RGB").save(file, format="WEBP", quality=quality, exif=exif)
    return file.getvalue()


def is_picture_name(path: str | Path) -> bool:
    """Whether a file's name says a kind of picture that `write_picture` writes."""
    return Path(path).suffix.lower() in KINDS


def check_picture_name(path: str | Path) -> None:
    """Raise `OutputError` where a file's name says a kind of picture that is not written."""
    suffix = Path(path).suffix
    if suffix and not is_picture_name(path):
        raise OutputError(f"{path}: no {suffix} pictures are written; name a file that ends in {', '.join(KINDS)}")


def picture_bytes(path: str | Path, image: Image, *, synthetic: bool = True) -> bytes:
    """An RGB picture as a file of the kind that a name says: .png, .jpg or .webp; PNG where it says none.

    Raises `OutputError` for other kinds, and for a picture that is too long for the kind.
    """
    check_picture_name(path)
    suffix = Path(path).suffix.lower()
    if max(image.size) > (longest := SIDES.get(suffix, max(image.size))):
        raise OutputError(f"{path}: a {suffix} picture has at most {longest} pixels each way; name a .png file")
    make = {".jpg": jpeg_bytes, ".jpeg": jpeg_bytes, ".webp": webp_bytes}.get(suffix, png_bytes)
    return make(image, synthetic=synthetic)


def write_picture(path: str | Path, image: Image, *, synthetic: bool = True) -> None:
    """Write an RGB picture as the kind of file that its name says, with a note of kinblend and its version in it.

    synthetic: whether kinblend made the face, which the note then says; a crop of a photograph is not.
    The file appears whole or not at all. Raises `OSError` when it can't be written, and `OutputError`.
    """
    atomic_write(path, picture_bytes(path, image, synthetic=synthetic), durable=True)


def says_synthetic(path: str | Path) -> bool:
    """Whether a file is a PNG that `write_picture` made of a synthetic picture. False where there is no such file."""
    try:
        with open_plain(path) as file:
            start = file.read(4096)
    except OSError:
        return False
    return start.startswith(b"\x89PNG") and b"Synthetic image made by kinblend" in start


def _density(dpi: int | None) -> dict[str, tuple[int, int]]:
    return {} if dpi is None else {"dpi": (dpi, dpi)}


def _exif(description: str) -> Exif:
    from PIL.Image import Exif

    exif = Exif()
    exif[DESCRIPTION], exif[SOFTWARE] = description, software()
    return exif


def software() -> str:
    """kinblend with its version, as files name what wrote them."""
    try:
        return f"kinblend {version('kinblend')}"
    except PackageNotFoundError:  # run from a source tree
        return "kinblend"


def statement() -> str:
    """What every file says that has a face which kinblend made."""
    return f"Synthetic image made by {software()}; not a photograph of a person"
