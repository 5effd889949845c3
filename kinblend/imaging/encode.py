"""Pictures out: PNG files that say what they are."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def write_png(path: str | os.PathLike[str], image: Image, *, synthetic: bool = True) -> None:
    """Write an RGB picture as a PNG whose text chunks name kinblend and its version.

    synthetic: whether kinblend made the face, which the text then says; a crop of a photograph is not.
    The file appears whole or not at all. Raises `OSError` when it can't be written.
    """
    from PIL.PngImagePlugin import PngInfo

    try:
        software = f"kinblend {version('kinblend')}"
    except PackageNotFoundError:  # run from a source tree
        software = "kinblend"
    texts = PngInfo()
    texts.add_text("Software", software)
    if synthetic:
        texts.add_text("Description", f"Synthetic image made by {software}; not a photograph of a person")
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            image.convert("RGB").save(file, format="PNG", pnginfo=texts, icc_profile=None, exif=b"")
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
