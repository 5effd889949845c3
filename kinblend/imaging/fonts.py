"""Letters for pictures: Pillow's built-in font, and one of the system's where that lacks a letter."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import InputError, UsageError
from kinblend.files import open_plain

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

SYSTEM = (  # those with most letters first; Pillow knows where systems keep them
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "FreeSans.ttf"),
    *("Arial Unicode.ttf", "Arial.ttf", "arial.ttf", "segoeui.ttf", "Helvetica.ttc", "NotoSansCJK-Regular.ttc"),
)
MAX_BYTES = 64 * 2**20  # of a font's file
NOTHING = "\uffff"  # no font has this letter: what is drawn is the box for a missing one


def font_for(text: str, height: int, file: Path | None = None) -> FreeTypeFont | ImageFont:
    """A font of that many pixels for a text: of a file, the built-in one, or the first of the system's that has all
    of its letters. The built-in one where none has. Raises `InputError` for a file that is no font."""
    if file is not None:
        return _font_of(file, height)
    found = _built_in(height)
    if not missing_letters(text, found):
        return found
    for name in SYSTEM:
        other = _installed(name, height)
        if other is not None and not missing_letters(text, other):
            return other
    return found


def check_letters(text: str, file: Path | None = None) -> None:
    """Raise `UsageError` for a text that is no line of letters, or has some that no font here has."""
    if not text.isprintable():
        raise UsageError(f"{text!r} is not one line of text; leave out what can't be printed")
    missing = missing_letters(text, font_for(text, 32, file))
    if missing:
        raise UsageError(f"no font here has the letters {missing!r}: name the file of a font that has them")


def missing_letters(text: str, font: FreeTypeFont | ImageFont) -> str:
    """Those of a text that a font lacks, each once."""
    box = font.getmask(NOTHING)
    seen = (bytes(box), box.size)
    masks = {letter: font.getmask(letter) for letter in dict.fromkeys(text) if not letter.isspace()}
    return "".join(letter for letter, mask in masks.items() if (bytes(mask), mask.size) == seen)


def _font_of(path: Path, height: int) -> FreeTypeFont:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(io.BytesIO(_content(path)), height)
    except OSError as error:
        raise InputError(f"{path} is no font that can be read ({error})") from error


@cache
def _content(path: Path) -> bytes:
    with open_plain(path) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} has more than {MAX_BYTES // 2**20} MiB, which is no font")
    return data


@cache
def _built_in(height: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(height)


@cache
def _installed(name: str, height: int) -> FreeTypeFont | None:
    from PIL import ImageFont

    try:
        return ImageFont.truetype(name, height)
    except OSError:
        return None
