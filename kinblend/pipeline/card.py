"""A card to print: parents above, children below, each with a line, perhaps a title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kinblend.errors import UsageError
from kinblend.imaging.fonts import check_letters
from kinblend.imaging.printing import INCH
from kinblend.imaging.sheet import write_caption

if TYPE_CHECKING:
    from PIL.Image import Image

DPI = 300
SIZES = {"10x15": (100.0, 150.0), "4x6": (4 * INCH, 6 * INCH)}  # mm, upright
Size = Literal["10x15", "4x6"]
Frame = Literal["line", "round", "none"]

# In mm.
MARGIN, GAP = 6.0, 3.0  # machines cut off up to 3 mm at each edge
CAPTION, TITLE, FOOTER = 4.2, 10.0, 2.2  # heights of lines
LINE, ROUND = 0.35, 0.08  # width of a frame's line; the radius of round corners, as a part of the side

PARENTS = 0.38  # of the height that pictures have, at most
MOST = 12  # children
SAID = "Children imagined by kinblend: synthetic pictures, not photographs"


@dataclass(frozen=True)
class Card:
    """What stands on a card.

    parents: father and mother, or nobody. children: at least one. captions: a line for each of them all, in this
    order. title: "" for none. font: a file, in the place of the built-in font.
    """

    parents: Sequence[Image]
    children: Sequence[Image]
    captions: Sequence[str]
    title: str = ""
    font: Path | None = None

    def check(self) -> None:
        """Raise `UsageError` where it can't be drawn: too many children, captions of others, letters no font has."""
        if not 1 <= len(self.children) <= MOST:
            raise UsageError(f"{len(self.children)} children: a card has room for 1 to {MOST}")
        people = len(self.parents) + len(self.children)
        if len(self.captions) != people:
            raise UsageError(f"{len(self.captions)} names for {people} pictures: give one for each")
        for text in (self.title, *self.captions):
            check_letters(text, self.font)


@dataclass(frozen=True)
class Row:
    """Squares side by side. side: of each, in pixels. pictures: the places of those in it among all."""

    side: int
    pictures: Sequence[int]


def draw_card(card: Card, size: Size = "10x15", frame: Frame = "line") -> Image:
    """The card, RGB on white, upright, 300 pixels to an inch: 1181×1772 pixels of 10 by 15 cm, 1200×1800 of 4 by 6
    inches. Raises `UsageError`; see `Card.check`."""
    from PIL import Image as pil

    card.check()
    width, height = (_pixels(side) for side in SIZES[size])
    canvas = pil.new("RGB", (width, height), "white")
    margin, caption, footer = _pixels(MARGIN), _pixels(CAPTION), _pixels(FOOTER)
    top = margin + (_pixels(TITLE) if card.title else 0)
    if card.title:
        box = (margin, margin), (width - 2 * margin, _pixels(TITLE - GAP))
        write_caption(canvas, card.title, *box, font=card.font)
    bottom = height - margin - footer - _pixels(GAP) // 2
    rows = arrange(len(card.parents), len(card.children), (width - 2 * margin, bottom - top))
    spare = bottom - top - sum(row.side + caption for row in rows)
    pictures = [*card.parents, *card.children]
    for number, row in enumerate(rows, start=1):
        place = top + spare * number // (len(rows) + 1)
        left = (width - len(row.pictures) * row.side - (len(row.pictures) - 1) * _pixels(GAP)) // 2
        for index in row.pictures:
            _put(canvas, pictures[index], (left, place), row.side, frame)
            write_caption(canvas, card.captions[index], (left, place + row.side), (row.side, caption), font=card.font)
            left += row.side + _pixels(GAP)
        top += row.side + caption
    write_caption(canvas, SAID, (margin, height - margin - footer), (width - 2 * margin, footer + 8), fill="#777777")
    return canvas


def arrange(parents: int, children: int, room: tuple[int, int]) -> list[Row]:
    """Rows of squares in a room of that width and height in pixels: the parents' first, then the children's, as
    large as there is room for."""
    width, height = room
    gap, caption, rows = _pixels(GAP), _pixels(CAPTION), []
    if parents:
        side = min((width - gap * (parents - 1)) // parents, int(PARENTS * height))
        rows.append(Row(side, range(parents)))
        height -= side + caption + gap
    columns = max(range(1, children + 1), key=lambda count: _side(count, children, (width, height)))
    side = _side(columns, children, (width, height))
    people = range(parents, parents + children)
    return rows + [Row(side, people[first : first + columns]) for first in range(0, children, columns)]


def _side(columns: int, count: int, room: tuple[int, int]) -> int:
    """The side of so many squares with captions in so many columns."""
    rows, gap = -(-count // columns), _pixels(GAP)
    across = (room[0] - gap * (columns - 1)) // columns
    down = (room[1] - gap * (rows - 1)) // rows - _pixels(CAPTION)
    return min(across, down)


def _put(canvas: Image, picture: Image, corner: tuple[int, int], side: int, frame: Frame) -> None:
    from PIL import Image as pil
    from PIL import ImageDraw

    shown = picture.convert("RGB").resize((side, side), pil.Resampling.LANCZOS)
    mask = None
    if frame == "round":
        fine = pil.new("L", (2 * side, 2 * side))
        ImageDraw.Draw(fine).rounded_rectangle((0, 0, 2 * side - 1, 2 * side - 1), 2 * ROUND * side, fill=255)
        mask = fine.resize((side, side), pil.Resampling.BOX)
    canvas.paste(shown, corner, mask)
    if frame == "line":
        box = (*corner, corner[0] + side - 1, corner[1] + side - 1)
        ImageDraw.Draw(canvas).rectangle(box, outline="#333333", width=_pixels(LINE))


def _pixels(millimetres: float) -> int:
    return round(millimetres / INCH * DPI)
