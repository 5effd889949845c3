"""Formats that telephones write and Pillow does not read by itself: HEIC, AVIF, JPEG XL, by decoders of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from kinblend.errors import ImageError


@dataclass(frozen=True)
class OptionalFormat:
    """A format that needs a package. title: for messages. name: Pillow's. package: on PyPI. register: makes Pillow
    know it; raises `ImportError` where the package is not there."""

    title: str
    name: str
    package: str
    register: Callable[[], None]


def _heif() -> None:
    import_module("pillow_heif").register_heif_opener()


def _avif() -> None:
    from PIL import features

    if not features.check("avif"):
        raise ImportError


def _jpeg_xl() -> None:
    import_module("pillow_jxl")  # which registers itself


HEIC = OptionalFormat("a HEIC", "HEIF", "pillow-heif", _heif)
AVIF = OptionalFormat("an AVIF", "AVIF", "pillow>=11.3", _avif)
JPEG_XL = OptionalFormat("a JPEG XL", "JXL", "pillow-jxl-plugin", _jpeg_xl)

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
JPEG_XL_HEADS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def find_decoder(file: str, head: bytes) -> str | None:
    """Pillow's name of the optional format that a file is of, ready to be read; None for all other files.

    head: its first 64 bytes. Raises `ImageError` where the format's decoder is not installed.
    """
    found = _format_of(head)
    if found is None:
        return None
    try:
        found.register()
    except ImportError as error:
        raise ImageError(
            f"{file} is {found.title} picture: install its decoder (pip install '{found.package}'), "
            "or save it as JPEG or PNG"
        ) from error
    return found.name


def _format_of(head: bytes) -> OptionalFormat | None:
    if head.startswith(JPEG_XL_HEADS):
        return JPEG_XL
    if head[4:8] != b"ftyp":
        return None
    brands = head[8:]
    if any(brand in brands for brand in AVIF_BRANDS):
        return AVIF
    return HEIC if any(brand in brands for brand in HEIC_BRANDS) else None
