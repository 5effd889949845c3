"""What a kinship set holds, in numbers that can be traced back to rows and folders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kinblend.families.left import (
    describe,
    images_in_trios,
    is_valid,
    mean_of,
    most_pictured,
    people_and_images_left,
    trios_by_family,
    trios_of,
)
from kinblend.families.model import Defect, Family, KinshipSet, NuclearFamily, Person, Role
from kinblend.families.pairs import pairs

ROLES: tuple[Role, ...] = ("father", "mother", "child")


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
    trios = [trios_of(family) for family in found.families]
    sizes = [len(family.people) for family in found.families]
    return {
        "extended_families": len(found.families),
        "nuclear_families": len(nuclear),
        "individuals": len(people),
        "incomplete_nuclear_families": incomplete,
        "complete_nuclear_families": len(nuclear) - incomplete,
        "trios": sum(map(len, trios)),
        "images": sum(len(person.pictures) for person in people),
        "individuals_without_images": sum(not person.pictures for person in people),
        "defects": [_defect(defect) for defect in found.defects],
        "defects_by_kind": dict(Counter(defect.kind for defect in found.defects).most_common()),
        "removed": [{"rule": one.rule, "count": len(one.families), "families": list(one.families)} for one in rules],
        "trios_with_images": sum(is_valid(trio) for each in trios for trio in each),
        "parent_child_pairs": len(pairs(found)),
        "rows": sum(len(house.members) for _, house in nuclear),
        "individuals_in_several_nuclear_families": sum(map(_repeated, found.families)),
        "individuals_in_no_nuclear_family": sum(map(_alone, found.families)),
        "roles": dict(Counter(member.role for _, house in nuclear for member in house.members)),
        "genders": dict(Counter(person.gender or "unknown" for person in people)),
        "family_sizes": _histogram(sizes),
        "nuclear_families_per_family": _histogram(len(family.nuclear) for family in found.families),
        "trios_per_family": _histogram(map(len, trios)),
        "images_per_role": {role: describe(_pictured(found, role)) for role in ROLES},
        "images_per_role_in_trios": images_in_trios(found),
        "mean_family_size": mean_of(sizes),
        "mean_trios_per_family": mean_of([len(each) for each in trios]),
        "trios_by_family": trios_by_family(found),
        "left": people_and_images_left(found),
        "most_pictured_people": most_pictured({f"{f.name}/{p.name}": len(p.pictures) for f, p in _everyone(found)}),
        "most_pictured_families": most_pictured({family.name: _images(family) for family in found.families}),
    }


def set_rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """The figures that a terminal shows: what each is, and its value."""
    rows = [[key.replace("_", " "), str(value)] for key, value in figures.items() if isinstance(value, int | float)]
    rows += [[f"removed: {one['rule']}", str(one["count"])] for one in figures["removed"]]
    rows += [[f"{key} left: {one['rule']}", str(one[key])] for key in ("people", "images") for one in figures["left"]]
    for role, each in figures["images_per_role_in_trios"].items():
        rows.append([f"mean images per {role} in valid trios", str(each.get("mean", "–"))])
    for one in figures["trios_by_family"][:1]:
        rows.append([f"most trios with images: {one['name']}", str(one["with_images"])])
    for what in ("people", "families"):
        for one in figures[f"most_pictured_{what}"][:1]:
            rows.append([f"most pictured {what}: {one['name']}", f"{one['images']} ({one['percent']} %)"])
    return rows + [[f"defects: {kind}", str(count)] for kind, count in figures["defects_by_kind"].items()]


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


def _defect(defect: Defect) -> dict[str, Any]:
    return {"file": str(defect.file), "line": defect.line, "kind": defect.kind, "reason": defect.reason}
