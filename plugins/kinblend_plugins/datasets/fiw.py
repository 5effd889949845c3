"""Families in the Wild (Robinson et al. 2018, "Visual kinship recognition of families in the wild").

F0001/mid.csv has a row and a column for every member: the number in row i and column j says what i is to j (1 child,
2 sibling, 3 grandchild, 4 parent, 5 spouse, 6 grandparent, 7 great-grandchild, 8 great-grandparent). Names and
genders stand in the last columns; pictures in F0001/MID1 …
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kinblend.datasets import (
    Defect,
    Family,
    Gender,
    KinshipSet,
    Member,
    NuclearFamily,
    Person,
    list_pictures,
    parse_number,
    read_lines,
    subfolders,
)
from kinblend.errors import InputError

FAMILY = re.compile(r"F\d{4}")
MEMBER = re.compile(r"MID\d+")
PICTURE = re.compile(r"(P\d+)_face\d+\.")
NOBODY = "unrelated_and_nonfaces"
CHILD, PARENT, SPOUSE, LARGEST = 1, 4, 5, 9
GENDERS: dict[str, Gender] = {"m": "m", "male": "m", "f": "f", "female": "f"}


def read(path: Path) -> KinshipSet | None:
    """The families of a folder of F0001 …, which may lie up to two folders deeper; None where there are none."""
    root = _find_root(path)
    if root is None:
        return None
    defects: list[Defect] = []
    families = []
    for folder in subfolders(root):
        if FAMILY.fullmatch(folder.name):
            families.append(_family(folder, defects))
        else:
            defects.append(Defect(folder, None, "folder not listed", "is not named like F0001; left out"))
    return KinshipSet(root, tuple(families), tuple(defects), _photograph)


def _photograph(picture: Path) -> str | None:
    """F0001/MID1/P00003_face0.jpg is a face of the photograph F0001/P00003."""
    match = PICTURE.match(picture.name)
    return f"{picture.parent.parent.name}/{match[1]}" if match else None


def _find_root(path: Path) -> Path | None:
    level = [path] if path.is_dir() else []
    for _ in range(3):
        for folder in level:
            if any(FAMILY.fullmatch(each.name) for each in subfolders(folder)):
                return folder
        level = [below for folder in level for below in subfolders(folder)]
    return None


@dataclass(frozen=True)
class _Row:
    """What mid.csv says of one member. line: where. relations: what the member is to each other one."""

    line: int
    gender: Gender | None
    relations: dict[str, int]


def _family(folder: Path, defects: list[Defect]) -> Family:
    listing = folder / "mid.csv"
    rows = _rows(listing, defects)
    _check_both_ways(listing, rows, defects)
    people = {
        name: Person(name, row.gender, _pictures(folder / name, listing, row.line, defects))
        for name, row in rows.items()
    }
    for other in subfolders(folder):
        if other.name == NOBODY:
            defects.append(Defect(other, None, "pictures of nobody", "holds pictures of no member; left out"))
        elif other.name not in people:
            defects.append(Defect(other, None, "folder not listed", f"is not a member in {listing.name}; left out"))
    return Family(folder.name, people, tuple(_nuclear(listing, rows, defects)))


def _rows(listing: Path, defects: list[Defect]) -> dict[str, _Row]:
    """MID1 … → what the list says. What can't be read is a defect."""
    try:
        found = read_lines(listing)
    except InputError as error:
        reason = str(error).removeprefix(f"{listing} ")
        defects.append(Defect(listing, None, "list unreadable", f"{reason}; its family has no members"))
        return {}
    defects += [Defect(listing, note.line, note.kind, note.reason) for note in found.notes]
    lines = [(line, cells) for line, cells in found.lines if any(cells)]
    first, head = lines[0] if lines else (1, [])
    while head and not head[-1]:
        head.pop()
    names = [name for cell in head[1:] if (name := _member(cell))]
    rows: dict[str, _Row] = {}
    for line, cells in lines[1:]:
        _take(rows, names, head, cells[: len(head)], listing, line, defects)
    for name in names:
        if name not in rows:
            defects.append(Defect(listing, first, "member without row", f"{name} has a column and no row"))
    return rows


def _member(cell: str) -> str:
    """MID1 of "1", "MID1" or "1.0"; "" for what is no member."""
    number = _whole(cell.upper().removeprefix("MID"))
    return f"MID{number}" if number is not None and number > 0 else ""


def _whole(cell: str) -> int | None:
    """A whole number, also as spreadsheets write it ("1.0", "1,0"); None for any other text."""
    try:
        number = parse_number(cell)
    except ValueError:
        return None
    return int(number) if abs(number) < 1e9 and number == int(number) else None


def _take(
    rows: dict[str, _Row],
    names: list[str],
    head: list[str],
    cells: list[str],
    listing: Path,
    line: int,
    defects: list[Defect],
) -> None:
    name = _member(cells[0])
    if len(cells) < len(head) or name not in names or name in rows:
        defects.append(
            Defect(listing, line, "malformed row", f"{','.join(cells)!r} is no row of its matrix; left out")
        )
        return
    place = next((n for n, cell in enumerate(head) if cell.casefold() in ("gender", "sex")), len(head) - 1)
    gender = GENDERS.get(cells[place].lower())
    if gender is None:
        defects.append(Defect(listing, line, "gender unknown", f"{name} has gender {cells[place]!r}"))
    relations = {}
    for other, cell in zip(names, cells[1:], strict=False):
        relation = _whole(cell)
        if relation is not None and 0 <= relation <= LARGEST:
            relations[other] = relation
        else:
            defects.append(Defect(listing, line, "relation unknown", f"{name} is {cell!r} to {other}; taken as none"))
    rows[name] = _Row(line, gender, relations)


def _check_both_ways(listing: Path, rows: dict[str, _Row], defects: list[Defect]) -> None:
    """Who is somebody's child must have that one as a parent; a relation said once only is left out."""
    for name, row in rows.items():
        for other, relation in row.relations.items():
            back = rows[other].relations.get(name) if other in rows else None
            expected = {CHILD: PARENT, PARENT: CHILD, SPOUSE: SPOUSE}.get(relation)
            if expected is not None and back != expected:
                reason = f"{name} is {relation} to {other}, who is {back} to {name} and not {expected}; left out"
                defects.append(Defect(listing, row.line, "relation one way only", reason))


def _pictures(folder: Path, listing: Path, line: int, defects: list[Defect]) -> tuple[Path, ...]:
    if not folder.is_dir():
        defects.append(Defect(listing, line, "person without folder", f"{folder} does not exist"))
        return ()
    return list_pictures(folder, defects)


def _nuclear(listing: Path, rows: dict[str, _Row], defects: list[Defect]) -> list[NuclearFamily]:
    """One for every couple of parents, and one for every couple of spouses without children."""
    children: dict[tuple[str, ...], list[str]] = {}
    for name in rows:
        parents = tuple(other for other in rows if _is(rows, name, CHILD, other))
        if parents:
            children.setdefault(parents, []).append(name)
        for other in rows:
            if name < other and _is(rows, name, SPOUSE, other):
                children.setdefault(tuple(each for each in rows if each in (name, other)), [])
    families = []
    for parents, names in children.items():
        members = []
        for parent in parents:
            gender = rows[parent].gender
            if gender is None:
                reason = f"{parent} is a parent of unknown gender, so neither father nor mother; left out"
                defects.append(Defect(listing, rows[parent].line, "parent of unknown gender", reason))
            else:
                members.append(Member(parent, "father" if gender == "m" else "mother"))
        members += [Member(name, "child") for name in names]
        families.append(NuclearFamily("+".join(parents), tuple(members)))
    return families


def _is(rows: dict[str, _Row], name: str, relation: int, other: str) -> bool:
    back = {CHILD: PARENT, SPOUSE: SPOUSE}[relation]
    return rows[name].relations.get(other) == relation and rows[other].relations.get(name) == back
