"""A CSV or Parquet with one trio a row.

Needed: father, mother, child (or father_images …): a picture, or a list literal of pictures, relative to the
table's folder. Used where there: family (or family_id), nuclear, father_name, mother_name, child_name, child_gender.
The list of the student project that kinblend began as (checkpoint10.csv) is such a table.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinblend.datasets import Defect, Family, Gender, KinshipSet, Member, NuclearFamily, Person, Role, read_table

ROLES: tuple[Role, ...] = ("father", "mother", "child")
PARENTS: dict[str, Gender] = {"father": "m", "mother": "f"}
GENDERS: dict[str, Gender] = {"m": "m", "male": "m", "f": "f", "female": "f"}


def read(path: Path) -> KinshipSet | None:
    """The families of a table with those columns; None for any other file and for folders."""
    if not path.is_file() or path.suffix.lower() not in (".csv", ".parquet"):
        return None
    rows = read_table(path)
    columns = {role: next((c for c in (role, f"{role}_images") if c in rows.columns), None) for role in ROLES}
    if None in columns.values():
        return None
    table = _Table(path, {role: str(column) for role, column in columns.items()})
    for line, row in rows.rows:
        table.take(line, row)
    return KinshipSet(path.parent, table.families(), tuple(table.defects))


@dataclass
class _Group:
    """A family of the table while it is read. people: name → gender and pictures."""

    people: dict[str, tuple[Gender | None, tuple[Path, ...]]] = field(default_factory=dict)
    nuclear: dict[str, dict[str, Role]] = field(default_factory=dict)  # its name → person → role


class _Table:
    """Takes a table row by row."""

    def __init__(self, path: Path, columns: dict[str, str]) -> None:
        self.path, self.columns = path, columns
        self.defects: list[Defect] = []
        self.groups: dict[str, _Group] = {}

    def take(self, line: int, row: Mapping[str, Any]) -> None:
        """Add the trio of one row."""
        pictures = {role: self._cell(line, row.get(column)) for role, column in self.columns.items()}
        if any(cell is None for cell in pictures.values()):
            return
        name = _text(row, "family") or _text(row, "family_id") or f"line {line}"
        group = self.groups.setdefault(name, _Group())
        names = {role: _text(row, f"{role}_name") or _key(pictures[role]) for role in ROLES}
        nuclear = _text(row, "nuclear") or f"{names['father']} + {names['mother']}"
        for role in ROLES:
            found = pictures[role]
            gender = PARENTS.get(role) or GENDERS.get(_text(row, "child_gender").lower())
            known = group.people.get(names[role], (gender, ()))
            usable = tuple(p for p in found or () if p not in known[1] and self._usable(line, p))
            group.people[names[role]] = (known[0] or gender, known[1] + usable)
            group.nuclear.setdefault(nuclear, {}).setdefault(names[role], role)

    def _cell(self, line: int, cell: Any) -> tuple[Path, ...] | None:
        """The pictures a cell names, or None, and a defect, where it names none."""
        values = parse_list(cell)
        if not values:
            self.defects.append(
                Defect(self.path, line, "cell without pictures", f"{cell!r:.80} names no picture; row left out")
            )
            return None
        return tuple(self.path.parent / value for value in values)

    def _usable(self, line: int, picture: Path) -> bool:
        if not picture.is_file():
            self.defects.append(Defect(self.path, line, "picture missing", f"{picture} does not exist; left out"))
        elif picture.stat().st_size == 0:
            self.defects.append(Defect(picture, None, "empty file", "is an empty file; left out"))
        else:
            return True
        return False

    def families(self) -> tuple[Family, ...]:
        """All families of the table; those that share a picture are one."""
        return tuple(_family(name, group) for name, group in self._joined().items())

    def _joined(self) -> dict[str, _Group]:
        owner: dict[Path, str] = {}
        joined: dict[str, _Group] = {}
        into: dict[str, str] = {}
        for name, group in self.groups.items():
            shared = {into[owner[p]] for _, pictures in group.people.values() for p in pictures if p in owner}
            target = min(shared, key=list(joined).index) if shared else name
            into[name] = target
            for other in (shared | {name}) - {target}:
                reason = f"family {other} shares a picture with family {target}; taken as one"
                self.defects.append(Defect(self.path, None, "families that share pictures", reason))
                _merge(joined[target], joined.pop(other, group))
                into |= {key: target for key, value in into.items() if value == other}
            joined.setdefault(target, group)
            owner |= {p: name for _, pictures in group.people.values() for p in pictures if p not in owner}
        return joined


def _merge(group: _Group, other: _Group) -> None:
    for name, (gender, pictures) in other.people.items():
        known = group.people.get(name, (gender, ()))
        group.people[name] = (known[0] or gender, tuple(dict.fromkeys(known[1] + pictures)))
    for nuclear, members in other.nuclear.items():
        group.nuclear.setdefault(nuclear, {}).update(members)


def _family(name: str, group: _Group) -> Family:
    people = {key: Person(key, gender, pictures) for key, (gender, pictures) in group.people.items()}
    nuclear = tuple(
        NuclearFamily(nuclear, tuple(Member(person, role) for person, role in members.items()))
        for nuclear, members in group.nuclear.items()
    )
    return Family(name, people, nuclear)


def _text(row: Mapping[str, Any], column: str) -> str:
    """A cell as text; empty where there is none. A number is one, 0 too."""
    value = row.get(column)
    return "" if value is None else str(value)


def _key(pictures: tuple[Path, ...] | None) -> str:
    """A name for someone who has none: the pictures are all there is to tell people by."""
    return ";".join(str(picture) for picture in pictures or ())


def parse_list(cell: Any) -> list[str]:
    """A cell's texts: `a.jpg` → one, `['a.jpg', 'b.jpg']` → two. A literal is parsed, nothing is evaluated."""
    if isinstance(cell, list):
        return [value for value in cell if isinstance(value, str) and value]
    text = str(cell or "").strip()
    if text[:1] not in ("[", "("):
        return [text] if text else []
    try:
        values = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return []
    whole = isinstance(values, (list, tuple)) and all(isinstance(value, str) and value for value in values)
    return list(values) if whole else []
