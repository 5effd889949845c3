"""A CSV or Parquet with one trio a row.

Needed: father, mother, child (or father_images …): a picture, or a list of pictures, relative to the table's folder.
Used where there: family (or family_id), nuclear, father_name, mother_name, child_name, child_gender. Capitals, spaces
and underscores in the columns' names do not count.
The list of the student project that kinblend began as (checkpoint10.csv) is such a table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinblend.datasets import (
    Defect,
    Family,
    Gender,
    KinshipSet,
    Member,
    NuclearFamily,
    Person,
    Role,
    Table,
    is_cut_short,
    join_path,
    parse_list,
    read_table,
)
from kinblend.errors import InputError

ROLES: tuple[Role, ...] = ("father", "mother", "child")
PARENTS: dict[str, Gender] = {"father": "m", "mother": "f"}
NEEDED: dict[str, tuple[str, ...]] = {
    role: (role, f"{role}image", f"{role}images", f"{role}picture", f"{role}pictures", f"{role}path")
    for role in ROLES
}
USED = ("family", "family_id", "nuclear", "father_name", "mother_name", "child_name", "child_gender")
SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".parquet")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
GENDERS: dict[str, Gender] = {"m": "m", "male": "m", "f": "f", "female": "f"}


def read(path: Path) -> KinshipSet | None:
    """The families of a table with those columns; None for any other kind of file and for folders.

    Raises `InputError` for a table that lacks a column, or has one twice, with the columns that it has.
    """
    if not path.is_file() or path.suffix.lower() not in SUFFIXES + WORKBOOKS:
        return None
    rows = read_table(path)
    columns = {role: _column(path, rows, names) for role, names in NEEDED.items()}
    if lacking := [role for role, column in columns.items() if column is None]:
        if len(lacking) == len(ROLES) and path.suffix.lower() == ".txt":
            return None
        raise InputError(
            f"{path} has {rows.describe()}, and lacks {', '.join(lacking)}; a table of trios has a picture of the "
            "father, mother and child in each row"
        )
    used = {name: _column(path, rows, (_plain(name),)) for name in USED}
    table = _Table(path, {role: str(column) for role, column in columns.items()}, used)
    table.defects += [Defect(path, note.line, note.kind, note.reason) for note in rows.notes]
    for line, row in rows.rows:
        table.take(line, row)
    return KinshipSet(path.parent, table.families(), tuple(table.defects))


def _column(path: Path, table: Table, names: tuple[str, ...]) -> str | None:
    """The column that bears one of these names; None where none does. Raises `InputError` where several do."""
    found = [(place, column) for place, column in enumerate(table.columns, start=1) if _plain(column) in names]
    if len(found) > 1:
        listed = " and ".join(f"{column!r} (column {place})" for place, column in found)
        raise InputError(f"{path} has {listed}, and which is meant can't be told; keep one of them")
    return found[0][1] if found else None


def _plain(column: str) -> str:
    """A column's name as it counts: letters and digits, without capitals."""
    return re.sub(r"[^a-z0-9]", "", str(column).casefold())


@dataclass
class _Group:
    """A family of the table while it is read. people: name → gender and pictures."""

    people: dict[str, tuple[Gender | None, tuple[Path, ...]]] = field(default_factory=dict)
    nuclear: dict[str, dict[str, Role]] = field(default_factory=dict)  # its name → person → role


class _Table:
    """Takes a table row by row."""

    def __init__(self, path: Path, columns: dict[str, str], used: dict[str, str | None]) -> None:
        self.path, self.columns, self.used = path, columns, used
        self.defects: list[Defect] = []
        self.groups: dict[str, _Group] = {}

    def take(self, line: int, row: Mapping[str, Any]) -> None:
        """Add the trio of one row."""
        pictures = {role: self._cell(line, column, row.get(column)) for role, column in self.columns.items()}
        if any(cell is None for cell in pictures.values()):
            return
        name = self._text(row, "family") or self._text(row, "family_id") or f"line {line}"
        group = self.groups.setdefault(name, _Group())
        names = {role: self._text(row, f"{role}_name") or _key(pictures[role]) for role in ROLES}
        nuclear = self._text(row, "nuclear") or f"{names['father']} + {names['mother']}"
        for role in ROLES:
            found = pictures[role]
            gender = PARENTS.get(role) or GENDERS.get(self._text(row, "child_gender").lower())
            known = group.people.get(names[role], (gender, ()))
            usable = tuple(p for p in found or () if p not in known[1] and self._usable(line, p))
            group.people[names[role]] = (known[0] or gender, known[1] + usable)
            group.nuclear.setdefault(nuclear, {}).setdefault(names[role], role)

    def _text(self, row: Mapping[str, Any], name: str) -> str:
        """A cell as text; empty where there is none. A number is one, 0 too."""
        value = row.get(self.used[name] or "")
        return "" if value is None else str(value)

    def _cell(self, line: int, column: str, cell: Any) -> tuple[Path, ...] | None:
        """The pictures a cell names, or None, and a defect, where it names none."""
        if isinstance(cell, str) and cell and (whole := join_path(self.path.parent, cell)).is_file():
            return (whole,)
        values = parse_list(cell)
        if values and not is_cut_short(cell):
            return tuple(join_path(self.path.parent, value) for value in values)
        kind, reason = "cell without pictures", "names no picture"
        if is_cut_short(cell):
            kind, reason = "cell cut short", "was cut short when it was written: it has ... for what was left out"
        found = "an empty cell" if cell in (None, "") else f"{cell!r:.80}"
        self.defects.append(Defect(self.path, line, kind, f"{column}: {found} {reason}; row left out"))
        return None

    def _usable(self, line: int, picture: Path) -> bool:
        if not picture.is_file():
            self.defects.append(
                Defect(self.path, line, "picture missing", f"{picture} {_why_missing(picture)}; left out")
            )
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


def _why_missing(picture: Path) -> str:
    if re.match(r"\w{2,}:/", picture.as_posix()) or re.search(r"(^|/)https?:/", picture.as_posix()):
        return "is an address; fetch the picture and name its file"
    if re.search(r"(^|/)[A-Za-z]:/", picture.as_posix()):
        return "is a place on a drive of Windows; give paths relative to the table"
    return "does not exist"


def _key(pictures: tuple[Path, ...] | None) -> str:
    """A name for someone who has none: the pictures are all there is to tell people by."""
    return ";".join(str(picture) for picture in pictures or ())
