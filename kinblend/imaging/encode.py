"""Pictures out: PNG files that say what they are."""

from __future__ import annotations

import io
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.files import atomic_write, open_plain

if TYPE_CHECKING:
    from PIL.Image import Image


def png_bytes(image: Image, *, synthetic: bool = True) -> bytes:
    """An RGB picture as the bytes of the file that `write_png` writes."""
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Software", _software())
    if synthetic:
        texts.add_text("Description", _statement())
    file = io.BytesIO()
    image.convert("RGB").save(file, format="PNG", pnginfo=texts, icc_profile=None, exif=b"")
    return file.getvalue()


def jpeg_bytes(image: Image, *, quality: int = 92, synthetic: bool = True) -> bytes:
    """An RGB picture as a JPEG file, for screens; its comment says what `png_bytes` says. quality: 1 to 95."""
    file = io.BytesIO()
    comment = _statement() if synthetic else _software()
    image.convert("RGB").save(file, format="JPEG", quality=quality, comment=comment.encode())
    return file.getvalue()


def write_png(path: str | Path, image: Image, *, synthetic: bool = True) -> None:
    """Write an RGB picture as a PNG whose text chunks name kinblend and its version.

    synthetic: whether kinblend made the face, which the text then says; a crop of a photograph is not.
    The file appears whole or not at all. Raises `OSError` when it can't be written, and `OutputError`.
    """
    atomic_write(path, png_bytes(image, synthetic=synthetic), durable=True)


def says_synthetic(path: str | Path) -> bool:
    """Whether a file is a PNG that `write_png` made of a synthetic picture. False where there is no such file."""
    try:
        with open_plain(path) as file:
            start = file.read(4096)
    except OSError:
        return False
    return start.startswith(b"\x89PNG") and b"Synthetic image made by kinblend" in start


def _software() -> str:
    try:
        return f"kinblend {version('kinblend')}"
    except PackageNotFoundError:  # run from a source tree
        return "kinblend"


def _statement() -> str:
    return f"Synthetic image made by {_software()}; not a photograph of a person"
