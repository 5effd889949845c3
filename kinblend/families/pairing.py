"""From trios of people to triples of pictures."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import lcm
from pathlib import Path
from typing import Literal

from kinblend.errors import UsageError
from kinblend.families.model import Family, KinshipSet, NuclearFamily, Person, Trio
from kinblend.families.splits import USUAL, split_families
from kinblend.families.trio_list import TrioFiles

Pairing = Literal["min", "all"] | int


def parse_pairing(text: str) -> Pairing:
    """`min`, `all` or `fixed:N`. Raises `UsageError`."""
    if text == "min":
        return "min"
    if text == "all":
        return "all"
    word, _, number = text.partition(":")
    if word == "fixed" and number.isdecimal() and int(number) > 0:
        return int(number)
    raise UsageError(f"pairing {text!r}: use min, all or fixed:N, for example fixed:3")


def pair(
    found: KinshipSet,
    pairing: Pairing = "min",
    *,
    seed: int = 0,
    shares: tuple[float, float, float] = USUAL,
    pictures: int | None = None,
    most: int | None = None,
) -> list[TrioFiles]:
    """Triples of pictures of every trio whose three people have some, each with its part of the split.

    pairing: "min" gives as many as the scarcest member has pictures, none twice; "all" every combination; a number
        that many different ones, in which each picture of a member stands as often as any other, give or take one.
    seed: draws pictures and parts; a trio's triples don't depend on the rest of the set.
    pictures: at most so many of each person. most: at most so many triples; every trio gives its first one before
        any gives its second.
    """
    ranked = [
        ranked
        for family, nuclear in found.nuclear()
        for trio in nuclear.trios()
        for ranked in enumerate(_triples(family, nuclear, trio, pairing, seed, pictures))
    ]
    if most is not None and len(ranked) > most:
        kept = sorted(range(len(ranked)), key=lambda place: (ranked[place][0], place))[:most]
        ranked = [ranked[place] for place in sorted(kept)]
    parts = split_families((triple.family for _, triple in ranked), seed, shares)
    return [
        replace(triple, split=parts[triple.family], photograph=_photograph(triple, found.photograph))
        for _, triple in ranked
    ]


def _triples(
    family: Family, nuclear: NuclearFamily, trio: Trio, pairing: Pairing, seed: int, most: int | None
) -> Iterator[TrioFiles]:
    members = [family.people[name] for name in (trio.father, trio.mother, trio.child)]
    shuffled = [_shuffled(person, (family.name, nuclear.name, trio, seed))[:most] for person in members]
    counts = [len(pictures) for pictures in shuffled]
    a, b, c = counts
    wanted = {"min": min(counts), "all": a * b * c}.get(str(pairing), pairing)
    for places in combinations(a, b, c, int(wanted)):
        father, mother, child = (pictures[place] for pictures, place in zip(shuffled, places, strict=True))
        yield TrioFiles(
            family.name, father, mother, child, nuclear.name, trio.father, trio.mother, trio.child, members[2].gender
        )


def _photograph(triple: TrioFiles, named: Callable[[Path], str | None] | None) -> str | None:
    """Whether the child is on a parent's photograph; None where that isn't known of all three."""
    if named is None:
        return None
    child, *parents = (named(picture) for picture in (triple.child, triple.father, triple.mother))
    if child is None or None in parents:
        return None
    return "shared" if child in parents else "own"


def _shuffled(person: Person, key: object) -> list[Path]:
    pictures = list(person.pictures)
    random.Random(f"{key} {person.name}").shuffle(pictures)
    return pictures


def combinations(a: int, b: int, c: int, count: int) -> Iterator[tuple[int, int, int]]:
    """The first `count` of a·b·c different triples below (a, b, c).

    However many are taken, in each place every number stands as often as any other, give or take one.
    """
    if not (a and b and c):
        return
    ab, abc = a * b, a * b * c
    turn, whole = lcm(a, b), lcm(ab, c)
    for step in range(min(count, abc)):
        within = step % ab
        # One farther after each full turn, else the same pairs would come again.
        yield within % a, (within + within // turn) % b, (step + step // whole) % c
