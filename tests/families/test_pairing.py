"""Triples of pictures: different, balanced, seeded; and a split that never parts a family."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinblend.errors import InputError, UsageError
from kinblend.families.model import Family, KinshipSet, Member, NuclearFamily, Person
from kinblend.families.pairing import combinations, pair, parse_pairing
from kinblend.families.splits import parse_shares, split_families
from kinblend.families.trio_list import TrioFiles, read_trio_list, write_trio_list
from kinblend.storage.tables import read_table

few = st.integers(1, 7)


def kin(root: Path, seed: int = 0, families: int = 20) -> KinshipSet:
    """Families of two parents and up to three children, everyone with up to five pictures, some with none."""
    draw = random.Random(seed)

    def person(family: int, name: str) -> Person:
        pictures = (root / f"{family}/{name}/{n}.jpg" for n in range(draw.randint(0, 5)))
        return Person(name, None, tuple(pictures))

    made = []
    for family in range(families):
        names = ["F", "M", *(f"C{n}" for n in range(draw.randint(1, 3)))]
        people = {name: person(family, name) for name in names}
        roles = ("father", "mother", *["child"] * (len(names) - 2))
        members = tuple(Member(name, role) for name, role in zip(names, roles, strict=True))
        made.append(Family(f"K{family}", people, (NuclearFamily("1", members),)))
    return KinshipSet(root, tuple(made))


@given(few, few, few, st.integers(1, 400))
def test_combinations_are_different_and_balanced(a: int, b: int, c: int, count: int) -> None:
    triples = list(combinations(a, b, c, count))
    assert len(triples) == len(set(triples)) == min(count, a * b * c)
    for place, size in enumerate((a, b, c)):
        seen = Counter(triple[place] for triple in triples)
        amounts = [seen[number] for number in range(size)]
        assert max(amounts) - min(amounts) <= 1


def counts_by_trio(found: KinshipSet) -> dict[tuple[str, str], list[int]]:
    return {
        (family.name, trio.child): [len(family.people[n].pictures) for n in (trio.father, trio.mother, trio.child)]
        for family, house in found.nuclear()
        for trio in house.trios()
    }


@pytest.mark.parametrize(
    ("pairing", "expected"),
    [
        ("min", lambda a, b, c: min(a, b, c)),
        ("all", lambda a, b, c: a * b * c),
        ("fixed:4", lambda a, b, c: min(4, a * b * c)),
    ],
)
def test_how_many_triples_a_trio_gives(pairing: str, expected, tmp_path: Path) -> None:
    found = kin(tmp_path)
    triples = pair(found, parse_pairing(pairing))
    given = Counter((triple.family, triple.child_name) for triple in triples)
    wanted = {key: expected(*counts) for key, counts in counts_by_trio(found).items()}
    assert given == {key: count for key, count in wanted.items() if count}
    assert len(set(triples)) == len(triples)
    if pairing == "min":
        for role in ("father", "mother", "child"):
            assert max(Counter((getattr(t, role), t.child_name) for t in triples).values()) == 1


def test_the_seed_draws_and_a_trio_does_not_depend_on_the_others(tmp_path: Path) -> None:
    found = kin(tmp_path)
    first, again, other = pair(found, seed=1), pair(found, seed=1), pair(found, seed=2)
    assert first == again != other
    fewer = pair(KinshipSet(found.root, found.families[:5]), seed=1)
    names = {family.name for family in found.families[:5]}
    assert [(t.father, t.mother, t.child) for t in fewer] == [
        (t.father, t.mother, t.child) for t in first if t.family in names
    ]


def test_limits_take_from_the_trios_with_most(tmp_path: Path) -> None:
    found = kin(tmp_path)
    one_each = pair(found, "all", pictures=1)
    assert len(one_each) == sum(all(counts) for counts in counts_by_trio(found).values())
    limited = pair(found, "all", most=len(one_each) + 3)
    assert len(limited) == len(one_each) + 3
    assert len({(t.family, t.child_name) for t in limited}) == len(one_each)


@given(st.sets(st.text(min_size=1), min_size=1, max_size=60), st.integers(0, 99))
def test_a_family_has_one_part_and_shares_are_kept(names: set[str], seed: int) -> None:
    parts = split_families(names, seed, (0.5, 0.25, 0.25))
    assert set(parts) == names
    assert parts == split_families(sorted(names) * 3, seed, (0.5, 0.25, 0.25))
    counts = Counter(parts.values())
    assert all(abs(counts[part] - len(names) / 4) <= 1 for part in ("val", "test"))


def test_splits_keep_families_whole(tmp_path: Path) -> None:
    triples = pair(kin(tmp_path, families=60), shares=parse_shares("60/20/20"), seed=4)
    sides: dict[str, set[str]] = {}
    for triple in triples:
        sides.setdefault(triple.family, set()).add(str(triple.split))
    assert all(len(parts) == 1 for parts in sides.values())
    assert {part for parts in sides.values() for part in parts} == {"train", "val", "test"}


@pytest.mark.parametrize("text", ["some", "fixed", "fixed:0", "fixed:-1", "fixed:x"])
def test_pairings_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="fixed:N"):
        parse_pairing(text)


@pytest.mark.parametrize("text", ["70", "70/30", "a/b/c", "0/0/0", "-1/1/1", "nan/1/1", "inf/1/1"])
def test_splits_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="70/10/20"):
        parse_shares(text)


@pytest.mark.parametrize("name", ["list.parquet", "list.csv"])
def test_a_list_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    triples = pair(kin(tmp_path / "Bilder für Zoë"), "all")
    written = write_trio_list(tmp_path / name, triples)
    assert read_trio_list(tmp_path / name) == triples
    assert [path.name for path in written] == [name, "list.fathers.txt", "list.mothers.txt", "list.children.txt"]
    lists = [path.read_text("utf-8").splitlines() for path in written[1:]]
    rows = read_table(tmp_path / name).rows
    assert list(zip(*lists, strict=True)) == [(row["father"], row["mother"], row["child"]) for _, row in rows]
    assert lists[0][0].startswith("Bilder für Zoë/")


def test_no_trio_and_odd_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="families stats"):
        write_trio_list(tmp_path / "list.csv", [])
    with pytest.raises(UsageError, match=r"\.parquet or \.csv"):
        write_trio_list(tmp_path / "list.xlsx", [TrioFiles("A", tmp_path, tmp_path, tmp_path)])
    (tmp_path / "list.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="can't be read"):
        read_trio_list(tmp_path / "list.parquet")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["A,a,b,c,train", "A,a,b,d,test"], "line 3: family A stands on two sides"),
        (["A,a,b,c,dev"], "line 2: split is 'dev'"),
        (["A,a,b,c,train", "B,a,b,d,"], "some rows name their part"),
    ],
)
def test_lists_that_part_a_family_are_refused(rows: list[str], reason: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("\n".join(["family,father,mother,child,split", *rows]))
    with pytest.raises(InputError, match=reason):
        read_trio_list(tmp_path / "list.csv")


def test_a_list_says_which_children_are_on_a_parents_photograph() -> None:
    roles = {"F": "father", "M": "mother", "C": "child"}
    pictures = {"F": "1/f.jpg", "M": "2/m.jpg"}

    def listed(child: str, named: Callable[[Path], str | None] | None) -> str | None:
        people = {name: Person(name, None, (Path(file),)) for name, file in {**pictures, "C": child}.items()}
        house = NuclearFamily("1", tuple(Member(name, role) for name, role in roles.items()))
        [triple] = pair(KinshipSet(Path(), (Family("K", people, (house,)),), photograph=named))
        return triple.photograph

    assert [listed(child, lambda file: file.parent.name) for child in ("1/c.jpg", "3/c.jpg")] == ["shared", "own"]
    assert listed("c.jpg", lambda file: file.parent.name or None) is None
    assert listed("1/c.jpg", None) is None
