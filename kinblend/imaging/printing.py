"""Pictures for paper: the pixels to an inch are written into the file, so that it is printed in its size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import OutputError
from kinblend.files import atomic_write
from kinblend.imaging.encode import jpeg_bytes, png_bytes, software, statement

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = (".png", ".jpg", ".jpeg", ".pdf")
QUALITY = 95  # of JPEG
INCH = 25.4  # mm


def check_print_name(path: str | Path) -> None:
    """Raise `OutputError` where a name says no kind of file that is printed."""
    if Path(path).suffix.lower() not in KINDS:
        raise OutputError(f"{path}: name a file that ends in {', '.join(KINDS)}")


def write_print(path: str | Path, image: Image, dpi: int) -> None:
    """Write an RGB picture with a synthetic face as the kind of file that a name says, `dpi` pixels to an inch.

    A PDF has one page of just that size. The file appears whole or not at all. Raises `OutputError` and `OSError`.
    """
    check_print_name(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".pdf":
        data = pdf_bytes(image, dpi)
    else:
        data = png_bytes(image, dpi=dpi) if suffix == ".png" else jpeg_bytes(image, quality=QUALITY, dpi=dpi)
    atomic_write(path, data, durable=True)


def pdf_bytes(image: Image, dpi: int) -> bytes:
    """A page with an RGB picture as a PDF, the same bytes each time: it has no date."""
    file = io.BytesIO()
    about = {"title": statement(), "producer": software(), "creationDate": None, "modDate": None}
    image.convert("RGB").save(file, format="PDF", resolution=dpi, quality=QUALITY, **about)
    return file.getvalue()
