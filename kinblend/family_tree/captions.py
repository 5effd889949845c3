"""Names below pictures: one line or two, smaller where they are long, shortened where nothing else helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.imaging.fonts import font_for

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

SPACING = 1.18  # of lines, in heights of letters


@dataclass(frozen=True)
class Lines:
    """Text that fits. size: height of its letters in pixels. width: of the widest line."""

    lines: Sequence[str]
    font: FreeTypeFont | ImageFont
    size: int
    width: int

    @property
    def height(self) -> int:
        """Of all lines, in pixels."""
        return round(SPACING * self.size * len(self.lines))


def wrapped(text: str, width: int, sizes: tuple[int, int], font: Path | None, lines: int = 2) -> Lines:
    """A text within so many pixels: in one line, in two, smaller, or with "…" at the end, whichever comes first.

    sizes: of letters, the wished one and the least, in pixels. font: a file, in the place of `font_for`'s choice.
    """
    wished, least = sizes[0], min(sizes)
    for size in range(wished, least - 1, -1):
        letters = font_for(text, size, font)
        for split in _splits(text, lines):
            if max(map(letters.getlength, split)) <= width:
                return _lines(split, letters, size)
    letters = font_for(f"{text}…", least, font)
    return _lines(_shortened(text, width, letters, lines), letters, least)


def _lines(split: Sequence[str], letters: FreeTypeFont | ImageFont, size: int) -> Lines:
    return Lines(split, letters, size, round(max(map(letters.getlength, split))))


def _splits(text: str, lines: int) -> Iterator[list[str]]:
    """The text in one line, then in two of about one length."""
    yield [text]
    spaces = [place for place, letter in enumerate(text) if letter == " "]
    if lines > 1 and spaces:
        place = min(spaces, key=lambda place: abs(2 * place - len(text)))
        yield [text[:place], text[place + 1 :]]


def _shortened(text: str, width: int, letters: FreeTypeFont | ImageFont, lines: int) -> list[str]:
    """As much as fits, broken between words where that can be; the last line has "…" at its end."""
    found: list[str] = []
    while len(found) + 1 < lines:
        end = len(text)
        while end > 1 and letters.getlength(text[:end]) > width:
            end -= 1
        space = text.rfind(" ", end // 2, end + 1)
        found.append(text[:end] if space < 0 else text[:space])
        text = text[len(found[-1]) :].lstrip()
    return [*found, text if letters.getlength(text) <= width else _cut(text, width, letters)]


def _cut(text: str, width: int, letters: FreeTypeFont | ImageFont) -> str:
    while text and letters.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def draw_lines(
    canvas: Image, text: Lines, top: tuple[int, int], fill: str, *, clear: tuple[int, int, int, int]
) -> int:
    """Write lines below a place, each in the middle; returns where they end.

    clear: left, upper edge, width and height of what is made white before: lines of the tree don't cross names.
    """
    from PIL import ImageDraw

    pen = ImageDraw.Draw(canvas)
    left, upper, width, height = clear
    pen.rectangle((left, upper, left + width, upper + height), fill="white")
    step = SPACING * text.size
    for number, line in enumerate(text.lines):
        pen.text((top[0], top[1] + (number + 0.5) * step), line, fill=fill, font=text.font, anchor="mm")
    return top[1] + text.height
