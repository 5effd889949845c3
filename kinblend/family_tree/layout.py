"""Where everyone of a family tree stands: generations from above to below, partners side by side, no crossing lines
where the family allows it.

Rows are filled by walking through the family from one couple: his family to the left, hers to the right, their
children between. The walk is tried from every couple, and the one with the fewest crossings is taken. Places within
the rows then follow from least squares with least distances, solved row by row by pooling adjacent violators
(Barlow et al., 1972): children below the middle of their parents, parents above the middle of their children.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean

from kinblend.family_tree.people import Couple

# Least distances of the middles of neighbours, in sides of a picture.
PARTNERS, SIBLINGS, OTHERS = 1.34, 1.18, 1.5
ROUNDS, SETTLED = 400, 1e-4


@dataclass(frozen=True)
class Layout:
    """rows: names from left to right, the oldest generation first. middles: of each picture, in sides of a picture,
    from the left edge of the leftmost one."""

    rows: Sequence[Sequence[str]]
    middles: Mapping[str, float]

    @property
    def width(self) -> float:
        """Of all, in sides of a picture."""
        return max(self.middles.values()) + 0.5


def arrange(people: Sequence[str], couples: Sequence[Couple]) -> Layout:
    """The layout of a family. couples: with names of these people alone, none its own ancestor."""
    generations = generations_of(people, couples)
    count = max(generations.values()) + 1
    tries = [_Walk(people, couples, generations, count, start).rows for start in (*couples, None)]
    rows = min(tries, key=lambda rows: cost(rows, couples))
    return Layout(rows, _places(rows, couples))


def generations_of(people: Sequence[str], couples: Sequence[Couple]) -> dict[str, int]:
    """The row of each person, from 0: below their parents, and beside their partners where that can be."""
    found = dict.fromkeys(people, 0)
    for together in (True, False):  # a man and his partner's granddaughter as a couple can't be in one row
        found = dict.fromkeys(people, 0)
        for _ in range(2 * len(people) + 1):
            before = dict(found)
            for couple in couples:
                lower = max(found[couple.father], found[couple.mother])
                if together:
                    found[couple.father] = found[couple.mother] = lower
                for child in couple.children:
                    found[child] = max(found[child], lower + 1)
            if found == before:
                return found
    return found


def cost(rows: Sequence[Sequence[str]], couples: Sequence[Couple]) -> tuple[int, int, int]:
    """What is bad about an order: crossings, people between partners, couples or siblings turned round."""
    place = {name: number for row in rows for number, name in enumerate(row)}
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    crossings = 0
    for one, other in combinations(couples, 2):
        if row_of[one.father] == row_of[other.father]:
            side = (place[one.father] + place[one.mother]) - (place[other.father] + place[other.mother])
            crossings += sum(
                side * (place[a] - place[b]) <= 0 for a in one.children for b in other.children if a != b
            )
    apart = sum(abs(place[couple.father] - place[couple.mother]) - 1 for couple in couples)
    turned = sum(place[couple.father] > place[couple.mother] for couple in couples)
    turned += sum(place[a] > place[b] for couple in couples for a, b in combinations(couple.children, 2))
    return crossings, apart, turned


def _between(one: Couple, other: Couple, place: Mapping[str, int]) -> bool:
    """Whether the line to the children of one couple goes down between two partners of another."""
    first, last = sorted((place[other.father], place[other.mother]))
    return first < (place[one.father] + place[one.mother]) / 2 < last and last - first > 1


class _Walk:
    """Fills the rows from left to right, from one couple on; from the first, where start is None and beyond it."""

    def __init__(
        self,
        people: Sequence[str],
        couples: Sequence[Couple],
        generations: Mapping[str, int],
        count: int,
        start: Couple | None,
    ) -> None:
        self.rows: list[list[str]] = [[] for _ in range(count)]
        self._row_of = generations
        self._seen: set[str] = set()
        self._known: set[str] = set()
        self._waiting = dict.fromkeys(couples)
        self._above = {child: couple for couple in couples for child in couple.children}
        for couple in [*([start] if start else []), *couples]:
            if couple in self._waiting:
                self._begin(couple)
        for name in people:
            self._add(name)

    def _begin(self, couple: Couple) -> None:
        del self._waiting[couple]
        self._left_of(couple.father)
        self._add(couple.mother)  # beside him, whoever else comes into this row before her family
        self._children(couple)
        self._right_of(couple.mother)

    def _add(self, name: str) -> None:
        if name not in self._seen:
            self._seen.add(name)
            self.rows[self._row_of[name]].append(name)

    def _children(self, couple: Couple, but: str | None = None) -> None:
        for child in couple.children:
            if child != but:
                self._down(child)

    def _left_of(self, name: str) -> None:
        """Somebody as the right end of their family: a partner comes next."""
        if self._walked(name):
            return
        couple = self._take_parents(name)
        if couple:
            self._left_of(couple.father)
            self._add(couple.mother)
            self._children(couple, but=name)
        self._with_others(name, left=True)
        if couple:
            self._right_of(couple.mother)

    def _right_of(self, name: str) -> None:
        """Somebody as the left end of their family: a partner was the last."""
        if self._walked(name):
            return
        couple = self._take_parents(name)
        if couple:
            self._left_of(couple.father)
            self._add(couple.mother)
        self._with_others(name, left=False)
        if couple:
            self._children(couple, but=name)
            self._right_of(couple.mother)

    def _walked(self, name: str) -> bool:
        """Whether somebody's family has been walked through, which it has from now on."""
        before = name in self._known
        self._known.add(name)
        return before

    def _take_parents(self, name: str) -> Couple | None:
        """Somebody's parents, if nobody has walked through them."""
        couple = self._above.get(name)
        if couple is None or couple not in self._waiting:
            return None
        del self._waiting[couple]
        return couple

    def _with_others(self, name: str, *, left: bool) -> None:
        """Somebody, and beside them those partners who are not placed yet."""
        if not left:
            self._add(name)
        for couple in self._own(name):
            if couple in self._waiting:
                del self._waiting[couple]
                beside = self._left_of if left else self._right_of
                beside(couple.partner(name))
                self._children(couple)
        self._add(name)

    def _down(self, name: str) -> None:
        """Somebody amid their brothers and sisters: of two partners one to each side, of one to the right."""
        if self._walked(name):
            return
        own = [couple for couple in self._own(name) if couple in self._waiting]
        for number, couple in enumerate(own):
            if couple not in self._waiting:
                continue
            del self._waiting[couple]
            if number == 0 and len(own) > 1:
                self._left_of(couple.partner(name))
                self._children(couple)
                self._add(name)
            else:
                self._add(name)
                self._add(couple.partner(name))
                self._children(couple)
                self._right_of(couple.partner(name))
        self._add(name)

    def _own(self, name: str) -> Iterable[Couple]:
        return [couple for couple in self._waiting if name in (couple.father, couple.mother)]


def _places(rows: Sequence[Sequence[str]], couples: Sequence[Couple]) -> dict[str, float]:
    """The middle of each picture."""
    together = {frozenset((couple.father, couple.mother)) for couple in couples}
    above = {child: couple for couple in couples for child in couple.children}
    own = {name: [one for one in couples if name in (one.father, one.mother)] for row in rows for name in row}

    beside = {}  # those who married into a family, and whom
    for row in rows:
        for name in row:
            partners = [couple.partner(name) for couple in own[name]]
            if name not in above and len(partners) == 1 and partners[0] in above and partners[0] in row:
                beside[name] = partners[0]

    def distance(left: str, right: str) -> float:
        if frozenset((left, right)) in together:
            return PARTNERS
        return SIBLINGS if above.get(left) is not None and above.get(left) is above.get(right) else OTHERS

    starts = {}
    for row in rows:
        starts[id(row)] = [0.0]
        for left, right in pairwise(row):
            starts[id(row)].append(starts[id(row)][-1] + distance(left, right))
    middles = {name: start for row in rows for name, start in zip(row, starts[id(row)], strict=True)}

    def pull(couple: Couple) -> float:
        """How far the children's middle is to the right of their parents'."""
        children = [middles[child] for child in couple.children]
        return (min(children) + max(children)) / 2 - (middles[couple.father] + middles[couple.mother]) / 2

    for turn in range(ROUNDS):
        before = dict(middles)
        for row in rows if turn % 2 else reversed(rows):
            wished = []
            for number, name in enumerate(row):
                if name in beside:  # whom else nothing holds
                    partner = beside[name]
                    wished.append(middles[partner] + PARTNERS * (1 if row.index(partner) < number else -1))
                    continue
                pulls = [pull(couple) for couple in own[name]]
                if name in above:
                    pulls.append(-pull(above[name]))
                wished.append(middles[name] + (fmean(pulls) if pulls else 0.0))
            middles |= dict(zip(row, spread(wished, starts[id(row)]), strict=True))
        if max(abs(middles[name] - before[name]) for name in middles) < SETTLED:
            break
    edge = min(middles.values()) - 0.5
    return {name: middle - edge for name, middle in middles.items()}


def spread(wished: Sequence[float], starts: Sequence[float]) -> list[float]:
    """The places nearest to those wished for, in least squares, whose distances are at least those of `starts`."""
    blocks: list[tuple[float, int]] = []  # mean and size
    for place, start in zip(wished, starts, strict=True):
        mean, size = place - start, 1
        while blocks and blocks[-1][0] >= mean:
            before, count = blocks.pop()
            mean, size = (before * count + mean * size) / (count + size), count + size
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    return [mean + start for mean, start in zip(means, starts, strict=True)]
