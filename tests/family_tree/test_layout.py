"""Where everyone stands: rows, order, distances, and no crossing lines in ordinary families."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinblend.family_tree.layout import Layout, arrange, cost, generations_of, spread
from kinblend.family_tree.people import Couple

# The couples of each family, "father mother: children".
ORDINARY = {
    "one couple": ["A B: c d e"],
    "four grandparents": ["A B: f", "C D: m", "f m: x y z"],
    "eight great-grandparents": ["1 2: a", "3 4: b", "5 6: c", "7 8: d", "a b: e", "c d: f", "e f: g"],
    "descendants": ["A B: c d e", "c p: x y", "d q: z", "e r: u v"],
    "uncles and aunts": ["A B: u f w", "C D: s m t", "f m: x y", "u q: k"],
    "twice married": ["A B: a b", "A C: c d"],
    "cousins": ["A B: a b", "a p: x", "b q: y", "x y: z"],
    "two pairs of parents-in-law": ["A B: a b c", "P Q: p", "R S: r", "a o: x", "b p: y", "c r: z"],
}


def family(lines: Iterable[str]) -> tuple[list[str], list[Couple]]:
    couples = []
    for line in lines:
        parents, children = line.split(": ")
        couples.append(Couple(*parents.split(), tuple(children.split())))
    names = [name for couple in couples for name in (couple.father, couple.mother, *couple.children)]
    return list(dict.fromkeys(names)), couples


def check(people: list[str], couples: list[Couple], layout: Layout) -> None:
    """Everybody once, parents above children, nobody upon another."""
    assert sorted(name for row in layout.rows for name in row) == sorted(people)
    row_of = {name: number for number, row in enumerate(layout.rows) for name in row}
    for couple in couples:
        for child in couple.children:
            assert max(row_of[couple.father], row_of[couple.mother]) < row_of[child]
    for row in layout.rows:
        assert all(layout.middles[right] - layout.middles[left] > 1.1 for left, right in pairwise(row))
    assert min(layout.middles.values()) == pytest.approx(0.5)


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_families_have_no_crossing_lines_and_partners_are_neighbours(name: str) -> None:
    people, couples = family(ORDINARY[name])
    layout = arrange(people, couples)
    check(people, couples, layout)
    assert cost(layout.rows, couples)[:2] == (0, 0)


def test_partners_are_in_one_row_also_who_married_in() -> None:
    people, couples = family(ORDINARY["descendants"])
    generations = generations_of(people, couples)
    assert [generations[name] for name in "ABcpx"] == [0, 0, 1, 1, 2]


def test_children_stand_below_the_middle_of_their_parents() -> None:
    people, couples = family(ORDINARY["eight great-grandparents"])
    middles = arrange(people, couples).middles
    for couple in couples:
        parents = (middles[couple.father] + middles[couple.mother]) / 2
        assert middles[couple.children[0]] == pytest.approx(parents, abs=0.02)


def test_one_person_and_a_man_with_his_partners_granddaughter() -> None:
    assert arrange(["A"], []) == Layout([["A"]], {"A": 0.5})
    people, couples = family(["A B: c", "c D: e", "A e: f"])
    check(people, couples, arrange(people, couples))


@st.composite
def families(draw: st.DrawFn) -> tuple[list[str], list[Couple]]:
    """Up to 14 people; each of the later ones may be a child of two before."""
    count = draw(st.integers(1, 14))
    children: dict[tuple[str, str], list[str]] = {}
    for number in range(2, count):
        father = draw(st.integers(0, number - 1).filter(lambda n: n % 2 == 0))
        mothers = list(range(1, number, 2))
        if draw(st.booleans()):
            mother = draw(st.sampled_from(mothers))
            children.setdefault((str(father), str(mother)), []).append(str(number))
    return [str(n) for n in range(count)], [Couple(*pair, tuple(names)) for pair, names in children.items()]


@settings(max_examples=40, deadline=None)
@given(families())
def test_any_family_can_be_laid_out(drawn: tuple[list[str], list[Couple]]) -> None:
    check(*drawn, arrange(*drawn))


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8), st.floats(0.5, 2))
def test_places_keep_their_distance_and_stay_where_they_can(wished: list[float], gap: float) -> None:
    starts = [gap * number for number in range(len(wished))]
    found = spread(wished, starts)
    assert all(right - left >= gap - 1e-9 for left, right in pairwise(found))
    assert spread(found, starts) == pytest.approx(found)
    assert sum(found) == pytest.approx(sum(wished), abs=1e-6)
