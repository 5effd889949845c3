"""What a kinship set holds, in numbers that can be traced back to rows and folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Any

from kinblend.families.model import Defect, Family, KinshipSet, NuclearFamily, Person, Role
from kinblend.families.pairs import pairs

ROLES: tuple[Role, ...] = ("father", "mother", "child")
MOST = 10  # people and families listed as the most pictured ones


@dataclass(frozen=True)
class Removal:
    """A rule, and the nuclear families it takes away from those that the rules before it left."""

    rule: str
    families: tuple[str, ...]


def statistics(found: KinshipSet) -> dict[str, Any]:
    """The figures of `kinblend families stats --json`; docs/families.md says what each counts."""
    nuclear, people = list(found.nuclear()), list(found.people())
    rules = removals(found)
    incomplete = sum(bool(house.gaps()) for _, house in nuclear)
    trios = {family.name: _trios(family) for family in found.families}
    return {
        "extended_families": len(found.families),
        "nuclear_families": len(nuclear),
        "individuals": len(people),
        "incomplete_nuclear_families": incomplete,
        "complete_nuclear_families": len(nuclear) - incomplete,
        "trios": sum(map(len, trios.values())),
        "images": sum(len(person.pictures) for person in people),
        "individuals_without_images": sum(not person.pictures for person in people),
        "defects": [_defect(defect) for defect in found.defects],
        "defects_by_kind": dict(Counter(defect.kind for defect in found.defects).most_common()),
        "removed": [{"rule": one.rule, "count": len(one.families), "families": list(one.families)} for one in rules],
        "trios_with_images": sum(all(p.pictures for p in trio) for each in trios.values() for trio in each),
        "parent_child_pairs": len(pairs(found)),
        "rows": sum(len(house.members) for _, house in nuclear),
        "individuals_in_several_nuclear_families": sum(map(_repeated, found.families)),
        "individuals_in_no_nuclear_family": sum(map(_alone, found.families)),
        "roles": dict(Counter(member.role for _, house in nuclear for member in house.members)),
        "genders": dict(Counter(person.gender or "unknown" for person in people)),
        "family_sizes": _histogram(len(family.people) for family in found.families),
        "nuclear_families_per_family": _histogram(len(family.nuclear) for family in found.families),
        "trios_per_family": _histogram(map(len, trios.values())),
        "images_per_role": {role: _summary(_pictured(found, role)) for role in ROLES},
        "most_pictured_people": _most({f"{f.name}/{p.name}": len(p.pictures) for f, p in _everyone(found)}),
        "most_pictured_families": _most({family.name: _images(family) for family in found.families}),
    }


def removals(found: KinshipSet) -> list[Removal]:
    """Why nuclear families are not complete, and why complete ones give no triple of pictures.

    A family is taken away by the first rule that holds for it, so that the counts add up: nuclear families less those
    of the first five rules are the complete ones.
    """
    left = list(found.nuclear())
    rules = [f"no {role}" for role in ROLES] + [f"several {role}s" for role in ROLES[:2]]
    rules += [f"{role} without pictures" for role in ROLES]
    removed = []
    for rule in rules:
        names = tuple(f"{family.name}/{house.name}" for family, house in left if rule in _reasons(family, house))
        removed.append(Removal(rule, names))
        left = [(family, house) for family, house in left if f"{family.name}/{house.name}" not in names]
    return removed


def _reasons(family: Family, house: NuclearFamily) -> list[str]:
    def bare(role: Role) -> bool:
        return not any(family.people[name].pictures for name in house.people(role))

    return house.gaps() + [f"{role} without pictures" for role in ROLES if bare(role)]


def _trios(family: Family) -> list[tuple[Person, Person, Person]]:
    return [
        (family.people[trio.father], family.people[trio.mother], family.people[trio.child])
        for house in family.nuclear
        for trio in house.trios()
    ]


def _everyone(found: KinshipSet) -> Iterable[tuple[Family, Person]]:
    return ((family, person) for family in found.families for person in family.people.values())


def _pictured(found: KinshipSet, role: Role) -> list[int]:
    """How many pictures each has who stands in that role anywhere; someone in two nuclear families counts once."""
    names = {(family.name, name) for family, house in found.nuclear() for name in house.people(role)}
    return [len(person.pictures) for family, person in _everyone(found) if (family.name, person.name) in names]


def _places(family: Family) -> Counter[str]:
    return Counter(member.person for house in family.nuclear for member in house.members)


def _repeated(family: Family) -> int:
    return sum(count > 1 for count in _places(family).values())


def _alone(family: Family) -> int:
    return len(family.people) - len(_places(family))


def _images(family: Family) -> int:
    return sum(len(person.pictures) for person in family.people.values())


def _histogram(values: Iterable[int]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}


def _summary(values: Sequence[int]) -> dict[str, float]:
    if not values:
        return {"people": 0}
    spread = {"mean": round(mean(values), 2), "median": median(values), "least": min(values), "most": max(values)}
    return {"people": len(values), "images": sum(values), **spread}


def _most(counts: dict[str, int]) -> list[dict[str, Any]]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"name": name, "images": count} for name, count in ranked[:MOST] if count]


def _defect(defect: Defect) -> dict[str, Any]:
    return {"file": str(defect.file), "line": defect.line, "kind": defect.kind, "reason": defect.reason}
