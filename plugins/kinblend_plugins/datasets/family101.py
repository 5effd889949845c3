"""Family101 (Fang, Gallagher, Chen & Loui 2013, "Kinship classification by modeling facial feature heredity").

A row is a number, a role and a name. A row FAMI has the number 0 and names the extended family's folder; the rows
after it carry the number of the nuclear family.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from kinblend.datasets import (
    Defect,
    Family,
    Gender,
    KinshipSet,
    Member,
    NuclearFamily,
    Person,
    Role,
    list_pictures,
    read_text,
    unlisted_files,
)

LIST = "family101.txt"
PICTURES = "Family101_150x120"
ROLES: dict[str, tuple[Role, Gender]] = {
    "HUSB": ("father", "m"),
    "WIFE": ("mother", "f"),
    "SONN": ("child", "m"),
    "DAUG": ("child", "f"),
}


@dataclass
class _NuclearFamily:
    """Rows that follow each other with one number."""

    number: int
    name: str
    members: list[Member] = field(default_factory=list)

    def has(self, place: str) -> bool:
        return any(member.role == place for member in self.members)

    def takes(self, number: int, place: str) -> bool:
        """Whether a row belongs here. Another parent after the children begins a nuclear family of its own."""
        return self.number == number and (place == "child" or not (self.has("child") and self.has(place)))


@dataclass
class _Family:
    """An extended family while it is read. people: name → gender and the line that named it first."""

    name: str
    line: int
    people: dict[str, tuple[Gender, int]] = field(default_factory=dict)
    nuclear_families: list[_NuclearFamily] = field(default_factory=list)


def read(path: Path) -> KinshipSet | None:
    """The families of a folder that holds FAMILY101.txt, or of that file; None where there is none."""
    listing = _find_list(path)
    if listing is None:
        return None
    found = _Listing(listing)
    root = listing.parent / PICTURES
    if not root.is_dir():
        root = listing.parent
    families = tuple(found.family(family_, root) for family_ in found.clans.values())
    found.defects += unlisted_files(root, found.clans)
    return KinshipSet(listing.parent, families, tuple(found.defects))


def _find_list(path: Path) -> Path | None:
    candidates = [path] if path.is_file() else sorted(path.iterdir())
    return next((file for file in candidates if file.name.lower() == LIST and file.is_file()), None)


class _Listing:
    """Reads FAMILY101.txt row by row."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.defects: list[Defect] = []
        self.clans: dict[str, _Family] = {}
        self.family_: _Family | None = None
        for line, text in enumerate(self._text().splitlines(), start=1):
            if text.strip():
                self._row(line, text)

    def _text(self) -> str:
        found = read_text(self.file)
        for note in found.notes:
            self._report(note.line, note.kind, note.reason)
        return found.text.removeprefix("\ufeff")

    def _report(self, line: int | None, kind: str, reason: str) -> None:
        self.defects.append(Defect(self.file, line, kind, reason))

    def _row(self, line: int, text: str) -> None:
        fields = _fields(text)
        if len(fields) != 3 or not fields[2] or not fields[0].isdigit():
            self._report(line, "malformed row", f"{text.strip()!r} is not a number, a role and a name; left out")
            return
        number, role, name = int(fields[0]), fields[1], fields[2]
        if role == "FAMI":
            self._begin(line, number, name)
        elif role not in ROLES:
            self._report(line, "unknown role", f"{role!r} is none of FAMI, {', '.join(ROLES)}; left out")
        elif self.family_ is None:
            self._report(line, "person before any family", f"{name} stands before the first FAMI; left out")
        else:
            self._person(line, self.family_, number, role, name)

    def _begin(self, line: int, number: int, name: str) -> None:
        if number != 0:
            self._report(line, "number of a family", f"FAMI {name} has number {number}, not 0; taken as 0")
        if name in self.clans:
            self._report(
                line, "family listed twice", f"FAMI {name} stands in line {self.clans[name].line} already; joined"
            )
        self.family_ = self.clans.setdefault(name, _Family(name, line))

    def _person(self, line: int, family_: _Family, number: int, role: str, name: str) -> None:
        if number == 0:
            self._report(line, "number of a person", f"{name} has number 0, which is FAMI's; left out")
            return
        place, gender = ROLES[role]
        nuclear = self._nuclear_family(line, family_, number, place)
        if any(member.person == name for member in nuclear.members):
            self._report(
                line, "person listed twice", f"{name} stands in nuclear family {nuclear.name} already; left out"
            )
            return
        if place != "child" and nuclear.has(place):
            self._report(line, f"two of {role}", f"{name} is the second {role} of nuclear family {nuclear.name}")
        known, first = family_.people.setdefault(name, (gender, line))
        if known != gender:
            self._report(line, "gender differs", f"{name} is {role} here, but not so in line {first}; that one holds")
        nuclear.members.append(Member(name, place))

    def _nuclear_family(self, line: int, family_: _Family, number: int, place: Role) -> _NuclearFamily:
        if family_.nuclear_families and family_.nuclear_families[-1].takes(number, place):
            return family_.nuclear_families[-1]
        name = str(number)
        if any(nuclear.number == number for nuclear in family_.nuclear_families):
            name = f"{number}, line {line}"
            self._report(line, "number used twice", f"number {number} was used before; a nuclear family of its own")
        family_.nuclear_families.append(_NuclearFamily(number, name))
        return family_.nuclear_families[-1]

    def family(self, family_: _Family, root: Path) -> Family:
        """A family with its people's pictures."""
        folder = _folder(root, family_.name)
        if not folder.is_dir():
            self._report(family_.line, "family without folder", f"{folder} does not exist")
        self.defects += unlisted_files(folder, family_.people)
        people = {
            name: Person(name, gender, self._pictures(folder, name, line))
            for name, (gender, line) in family_.people.items()
        }
        nuclear_families = [
            NuclearFamily(nuclear.name, tuple(nuclear.members)) for nuclear in family_.nuclear_families
        ]
        if not nuclear_families:
            self._report(family_.line, "family without people", f"FAMI {family_.name} lists nobody")
        return Family(family_.name, people, tuple(nuclear_families))

    def _pictures(self, folder: Path, name: str, line: int) -> tuple[Path, ...]:
        place = _folder(folder, name)
        if not place.is_dir():
            self._report(line, "person without folder", f"{place} does not exist")
            return ()
        return list_pictures(place, self.defects)


def _fields(text: str) -> list[str]:
    """The parts of a row: separated by tabs, as published, by what a spreadsheet put for them, or by spaces."""
    found = re.match(r'\s*"?\d+"?\s*([\t;,])', text)
    fields = [part.strip().strip('"') for part in (text.split(found[1]) if found else text.split(None, 2))]
    while len(fields) > 3 and not fields[-1]:
        fields.pop()
    return [unicodedata.normalize("NFC", field) for field in fields]


def _folder(folder: Path, name: str) -> Path:
    """The folder of that name, with its accents composed, or apart, as macOS stores them."""
    apart = folder / unicodedata.normalize("NFD", name)
    return apart if apart.is_dir() and not (folder / name).is_dir() else folder / name
