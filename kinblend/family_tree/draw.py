"""A family tree as a picture: generations from above to below, photographs and predictions in frames of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import UsageError
from kinblend.family_tree.captions import draw_lines, wrapped
from kinblend.family_tree.layout import Layout, arrange
from kinblend.family_tree.people import Couple
from kinblend.imaging.decode import MAX_PIXELS, MAX_SIDE
from kinblend.imaging.fonts import check_letters
from kinblend.imaging.sheet import write_caption

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

PAPER, INK, GREY, LINE, PHOTO, PREDICTED = "white", "#1c1c1c", "#5f5f5f", "#8c8c8c", "#4a4a4a", "#2f6fb0"
# In sides of a picture.
MARGIN, TITLE, NAME, AGE, PAD = 0.28, 0.24, 0.115, 0.1, 0.05
CAPTION = 1.14  # the most that a name is wide
GENERATION = 1.8  # a generation's height, about
GAP, LANE = 0.2, 0.07  # from one generation to the next; more for each line above another
MAT, ROUND, WIDTH = 0.035, 0.14, 1 / 80  # border of a photograph, corners of a prediction, lines
LEGEND, NARROWEST = 0.1, 2.6  # height of a line at the foot; the least width of all
SAID = {False: "photograph", True: "imagined by kinblend: a synthetic picture, not a photograph"}

Row = Sequence[str]


@dataclass(frozen=True)
class Portrait:
    """Somebody in a tree. picture: RGB, square. age: in years, None where nothing is said. predicted: whether
    kinblend made the picture."""

    picture: Image
    age: float | None = None
    predicted: bool = False

    @property
    def line(self) -> str:
        """The age in words: "12 years"; empty where it is not known."""
        return "" if self.age is None else f"{self.age:g} year" + ("" if self.age == 1 else "s")


def check_names(names: Sequence[str], title: str = "", font: Path | None = None) -> None:
    """Raise `UsageError` for letters that no font here has, `InputError` for a font that is none."""
    for text in (title, *names):
        check_letters(text, font)


def check_size(people: Sequence[str], couples: Sequence[Couple], side: int) -> None:
    """Raise `UsageError` where the drawing would have more pixels than a picture may have."""
    layout = arrange(people, couples)
    width, height = round(layout.width * side), round(len(layout.rows) * GENERATION * side)
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise UsageError(f"the tree would have {width} × {height} pixels: use less than {side} for each picture")


def draw_tree(
    people: Mapping[str, Portrait],
    couples: Sequence[Couple],
    *,
    title: str = "",
    side: int = 240,
    font: Path | None = None,
) -> Image:
    """The tree, RGB on white.

    people: by name. couples: parents, of whom and of whose children all are among the people. title: a line above.
    side: pixels of each picture. font: a file, in the place of the built-in font.
    Raises `UsageError` for letters that no font here has, and for more pixels than a picture may have.
    """
    check_names(list(people), title, font)
    check_size(list(people), couples, side)
    return _Drawing(people, couples, title, side, font).drawn()


class _Drawing:
    """The places of everything in pixels, and the drawing of it."""

    def __init__(
        self, people: Mapping[str, Portrait], couples: Sequence[Couple], title: str, side: int, font: Path | None
    ) -> None:
        self.people, self.couples, self.title, self.side, self.font = people, couples, title, side, font
        self.layout: Layout = arrange(list(people), couples)
        self.row_of = {name: number for number, row in enumerate(self.layout.rows) for name in row}
        self.names = {
            name: wrapped(name, round(CAPTION * side), (round(NAME * side), round(0.75 * NAME * side)), font)
            for name in people
        }
        family = round(self.layout.width * side)
        self.width = max(family, round(NARROWEST * side)) + 2 * self._px(MARGIN)
        left = (self.width - family) // 2
        self.middle = {name: left + round(at * side) for name, at in self.layout.middles.items()}
        self.lanes = [self._lanes_below(number) for number in range(len(self.layout.rows))]
        self.tops = list(self._tops())

    def _px(self, sides: float) -> int:
        return max(1, round(sides * self.side))

    def _mid(self, couple: Couple) -> int:
        """Where the line down to their children begins; above an only child, if that is within two pixels."""
        at = (self.middle[couple.father] + self.middle[couple.mother]) // 2
        near = [self.middle[child] for child in couple.children if abs(self.middle[child] - at) <= 2]
        return near[0] if near else at

    def _row(self, couple: Couple) -> int:
        return max(self.row_of[couple.father], self.row_of[couple.mother])

    def _beside(self, couple: Couple) -> bool:
        """Whether partners are neighbours."""
        row = self.layout.rows[self._row(couple)]
        return {couple.father, couple.mother} in [{*pair} for pair in pairwise(row)]

    def _caption_height(self, row: Row) -> int:
        names = max(self.names[name].height for name in row)
        ages = self._px(AGE + PAD / 2) if any(self.people[name].line for name in row) else 0
        return self._px(PAD) + names + ages

    def _lanes_below(self, number: int) -> dict[tuple[Couple, bool], int]:
        """Of each level line below a row how far down it is, from 0: of couples who are not neighbours (True), and of
        children (False). Lines that would touch are not at one height."""
        lines: list[tuple[int, int, tuple[Couple, bool]]] = []
        for couple in self.couples:
            if self._row(couple) == number:
                places = [self.middle[child] for child in couple.children] + [self._mid(couple)]
                lines.append((min(places), max(places), (couple, False)))
                if not self._beside(couple):
                    pair = sorted((self.middle[couple.father], self.middle[couple.mother]))
                    lines.append((pair[0], pair[1], (couple, True)))
        found: dict[tuple[Couple, bool], int] = {}
        taken: list[list[tuple[int, int]]] = []
        for first, last, key in sorted(lines, key=lambda line: (not line[2][1], line[0], line[1])):
            lane = 0 if key[1] or (key[0], True) not in found else found[key[0], True] + 1
            while lane < len(taken) and any(a <= last + 4 and first <= b + 4 for a, b in taken[lane]):
                lane += 1
            while len(taken) <= lane:
                taken.append([])
            taken[lane].append((first, last))
            found[key] = lane
        return found

    def _tops(self) -> Iterator[int]:
        """The upper edge of each row of pictures, and where the last row ends."""
        top = self._px(MARGIN) + (self._px(TITLE) if self.title else 0)
        for number, row in enumerate(self.layout.rows):
            yield top
            top += self.side + self._caption_height(row)
            if number + 1 < len(self.layout.rows):
                top += self._px(GAP) + self._px(LANE) * (1 + max(self.lanes[number].values(), default=0))
        yield top

    def drawn(self) -> Image:
        from PIL import Image as pil
        from PIL import ImageDraw

        kinds = sorted({one.predicted for one in self.people.values()})
        foot = self._px(MARGIN) // 2 + len(kinds) * self._px(1.4 * LEGEND)
        canvas = pil.new("RGB", (self.width, self.tops[-1] + foot + self._px(MARGIN)), PAPER)
        pen = ImageDraw.Draw(canvas)
        if self.title:
            box = (self._px(MARGIN), self._px(MARGIN) // 2), (self.width - 2 * self._px(MARGIN), self._px(TITLE))
            write_caption(canvas, self.title, *box, fill=INK, font=self.font)
        for couple in self.couples:
            self._connect(pen, couple)
        for name in self.people:
            self._put(canvas, name)
        for number, predicted in enumerate(kinds):
            top = self.tops[-1] + self._px(MARGIN) // 2 + number * self._px(1.4 * LEGEND)
            self._explain(canvas, predicted, top)
        return canvas

    def _connect(self, pen: ImageDraw, couple: Couple) -> None:
        """The lines between two partners, and from them to their children."""
        row, middle = self._row(couple), self._mid(couple)
        below = self.tops[row] + self.side + self._caption_height(self.layout.rows[row])

        def height(apart: bool) -> int:
            return below + self._px(GAP) // 2 + self._px(LANE) * self.lanes[row][couple, apart]

        if self._beside(couple):
            start = self.tops[row] + self.side // 2
            left, right = sorted((self.middle[couple.father], self.middle[couple.mother]))
            self._line(pen, (left, start), (right, start))
        else:
            start = height(True)
            for name in (couple.father, couple.mother):
                self._line(
                    pen, (self.middle[name], self.tops[self.row_of[name]] + self.side), (self.middle[name], start)
                )
            self._line(pen, (self.middle[couple.father], start), (self.middle[couple.mother], start))
        bar = height(False)
        self._line(pen, (middle, start), (middle, bar))
        for child in couple.children:
            self._line(pen, (middle, bar), (self.middle[child], bar))
            self._line(pen, (self.middle[child], bar), (self.middle[child], self.tops[self.row_of[child]]))

    def _line(self, pen: ImageDraw, start: tuple[int, int], end: tuple[int, int]) -> None:
        """A level or an upright line, with square ends, so that corners are whole."""
        wide = self._px(WIDTH)
        (left, right), (top, bottom) = sorted((start[0], end[0])), sorted((start[1], end[1]))
        left, top = left - wide // 2, top - wide // 2
        pen.rectangle((left, top, right - wide // 2 + wide - 1, bottom - wide // 2 + wide - 1), fill=LINE)

    def _put(self, canvas: Image, name: str) -> None:
        """A picture in its frame, name and age below."""
        row, portrait = self.row_of[name], self.people[name]
        left, top = self.middle[name] - self.side // 2, self.tops[row]
        lines = self.names[name]
        tall = self._caption_height(self.layout.rows[row]) + self._px(PAD / 2)
        pen_box = (self.middle[name] - lines.width // 2 - 2, top + self.side, lines.width + 4, tall)
        framed(canvas, portrait, (left, top), self.side)
        bottom = draw_lines(canvas, lines, (self.middle[name], top + self.side + self._px(PAD)), INK, clear=pen_box)
        if portrait.line:
            size = (self._px(CAPTION), self._px(AGE) + 8)
            corner = (self.middle[name] - size[0] // 2, bottom + self._px(PAD / 2) - 4)
            write_caption(canvas, portrait.line, corner, size, fill=GREY)

    def _explain(self, canvas: Image, predicted: bool, top: int) -> None:
        """A small frame and what it means."""
        from PIL import Image as pil
        from PIL import ImageDraw

        small, left = self._px(LEGEND), self._px(MARGIN)
        framed(canvas, Portrait(pil.new("RGB", (8, 8), "#e4e4e4"), predicted=predicted), (left, top), small)
        room = self.width - 2 * left - 2 * small
        text = wrapped(SAID[predicted], room, (round(0.85 * small), 10), None, lines=1)
        middle = (left + round(1.5 * small), top + small // 2)
        ImageDraw.Draw(canvas).text(middle, text.lines[0], fill=GREY, font=text.font, anchor="lm")


def framed(canvas: Image, portrait: Portrait, corner: tuple[int, int], side: int) -> None:
    """Paste a picture: a photograph as a print with a white border, a prediction with round corners in blue."""
    from PIL import Image as pil
    from PIL import ImageDraw

    pen, (left, top) = ImageDraw.Draw(canvas), corner
    box = (left, top, left + side - 1, top + side - 1)
    if not portrait.predicted:
        mat = max(2, round(MAT * side))
        pen.rectangle(box, fill=PAPER, outline=PHOTO, width=max(1, side // 120))
        inside = side - 2 * mat
        picture = portrait.picture.convert("RGB").resize((inside, inside), pil.Resampling.LANCZOS)
        canvas.paste(picture, (left + mat, top + mat))
        return
    line = max(2, side // 48)
    mask = pil.new("L", (4 * side, 4 * side))
    radius = 4 * ROUND * side
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, 4 * side - 1, 4 * side - 1), radius, fill=255)
    canvas.paste(pil.new("RGB", (side, side), PREDICTED), corner, mask.resize((side, side), pil.Resampling.BOX))
    inside = side - 2 * line
    inner = mask.resize((inside, inside), pil.Resampling.BOX)
    picture = portrait.picture.convert("RGB").resize((inside, inside), pil.Resampling.LANCZOS)
    canvas.paste(picture, (left + line, top + line), inner)
