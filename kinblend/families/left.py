"""What a kinship set keeps for training: its valid trios, whose they are, and the people and pictures in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import mean, median
from typing import Any

from kinblend.families.model import Family, KinshipSet, Person, Role

PLACES: tuple[Role, ...] = ("father", "mother", "child")
MOST = 10  # people and families that are listed
PeopleOfTrio = tuple[Person, Person, Person]


def trios_of(family: Family) -> list[PeopleOfTrio]:
    """Every (father, mother, child) of an extended family's complete nuclear families."""
    return [
        (family.people[trio.father], family.people[trio.mother], family.people[trio.child])
        for house in family.nuclear
        for trio in house.trios()
    ]


def is_valid(trio: PeopleOfTrio) -> bool:
    """Whether all three have a picture."""
    return all(person.pictures for person in trio)


def people_and_images_left(found: KinshipSet) -> list[dict[str, Any]]:
    """People and pictures that each rule leaves, and how many it takes from what the rules before it left."""
    trios = [(family.name, trio) for family in found.families for trio in trios_of(family)]
    everyone = {(family.name, person.name): person for family in found.families for person in family.people.values()}
    in_trio = {(family, person.name): person for family, trio in trios for person in trio}
    valid = {(family, person.name): person for family, trio in trios if is_valid(trio) for person in trio}
    steps = {
        "everyone": everyone,
        "who is in no trio is left out": in_trio,
        "who has no pictures is left out": {key: person for key, person in in_trio.items() if person.pictures},
        "who is in no trio with pictures of all three is left out": valid,
    }
    rows: list[dict[str, Any]] = []
    for rule, people in steps.items():
        row: dict[str, Any] = {
            "rule": rule,
            "people": len(people),
            "images": sum(len(one.pictures) for one in people.values()),
        }
        before = rows[-1] if rows else row
        rows.append(row | {f"less_{key}": before[key] - row[key] for key in ("people", "images")})
    return rows


def only_valid_trios(found: KinshipSet) -> KinshipSet:
    """The same families, with the pictures of those alone who are in a trio with pictures of all three."""
    families = []
    for family in found.families:
        kept = {person.name for trio in filter(is_valid, trios_of(family)) for person in trio}
        people = {
            name: person if name in kept else replace(person, pictures=()) for name, person in family.people.items()
        }
        families.append(replace(family, people=people))
    return replace(found, families=tuple(families))


def trios_by_family(found: KinshipSet) -> list[dict[str, Any]]:
    """Each extended family with its trios and those with pictures of all three, the largest first."""
    rows = [
        {"name": family.name, "trios": len(trios), "with_images": sum(map(is_valid, trios))}
        for family in found.families
        for trios in [trios_of(family)]
    ]
    return sorted(rows, key=lambda row: (-row["with_images"], -row["trios"], str(row["name"])))


def images_in_trios(found: KinshipSet) -> dict[str, dict[str, float]]:
    """Pictures of fathers, mothers and children in valid trios; someone in several counts once in each role."""
    people: dict[str, dict[tuple[str, str], Person]] = {place: {} for place in PLACES}
    for family in found.families:
        for trio in filter(is_valid, trios_of(family)):
            for place, person in zip(PLACES, trio, strict=True):
                people[place][family.name, person.name] = person
    return {place: describe(len(person.pictures) for person in each.values()) for place, each in people.items()}


def describe(counts: Iterable[int]) -> dict[str, float]:
    """How many people have how many pictures."""
    values = list(counts)
    if not values:
        return {"people": 0}
    spread = {"mean": round(mean(values), 2), "median": median(values), "least": min(values), "most": max(values)}
    return {"people": len(values), "images": sum(values), **spread}


def most_pictured(counts: dict[str, int]) -> list[dict[str, Any]]:
    """Those with the most pictures, and their share of all pictures in per cent."""
    whole = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST]
    return [
        {"name": name, "images": count, "percent": round(100 * count / whole, 1)} for name, count in ranked if count
    ]


def mean_of(values: Sequence[int]) -> float | None:
    """To two places; None of nothing."""
    return round(mean(values), 2) if values else None
