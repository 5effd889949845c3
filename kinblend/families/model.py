"""Who belongs to whom, whatever the data set calls it: extended families → nuclear families → people and pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Literal

Role = Literal["father", "mother", "child"]
Gender = Literal["m", "f"]


@dataclass(frozen=True)
class Defect:
    """Something in a data set that is not as it should be. It is reported, and the rest is used.

    file: where it is. line: counted from 1, where the file is a text. kind: a few words that the same defects share.
    reason: what is wrong, and what was done about it.
    """

    file: Path
    line: int | None
    kind: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}{f', line {self.line}' if self.line else ''}: {self.reason}"


@dataclass(frozen=True)
class Person:
    """One person. name: unique within the extended family. gender: None where it isn't known."""

    name: str
    gender: Gender | None = None
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Member:
    """The place a person has in one nuclear family."""

    person: str
    role: Role


@dataclass(frozen=True)
class Trio:
    """A father, a mother and one child of theirs, by name."""

    father: str
    mother: str
    child: str


@dataclass(frozen=True)
class NuclearFamily:
    """Parents and their children, as listed. name: unique within the extended family."""

    name: str
    members: tuple[Member, ...]

    def people(self, role: Role) -> list[str]:
        """The names of those in a role, in the order they are listed."""
        return [member.person for member in self.members if member.role == role]

    def gaps(self) -> list[str]:
        """Why no trio can be made of it: who is missing, or listed twice. None: it is complete."""
        counts = Counter(member.role for member in self.members)
        roles: tuple[Role, ...] = ("father", "mother", "child")
        missing = [f"no {role}" for role in roles if not counts[role]]
        return missing + [f"several {role}s" for role in roles[:2] if counts[role] > 1]

    def trios(self) -> list[Trio]:
        """Every child with its parents, once. Gaps leave none: with two husbands nothing says whose child it is."""
        if self.gaps():
            return []
        trios = product(self.people("father"), self.people("mother"), dict.fromkeys(self.people("child")))
        return [Trio(*names) for names in trios]


@dataclass(frozen=True)
class Family:
    """An extended family: everyone in it by name, and the nuclear families they form."""

    name: str
    people: Mapping[str, Person]
    nuclear: tuple[NuclearFamily, ...]


@dataclass(frozen=True)
class KinshipSet:
    """What a reader found in a folder.

    root: what its pictures lie under. photograph: tells which photograph a picture was cut from; None where names
    don't say. Faces of one photograph share its light and its colours, which a model may take for kinship.
    aligned: whether its pictures are FFHQ crops already.
    """

    root: Path
    families: tuple[Family, ...]
    defects: tuple[Defect, ...] = field(default=())
    photograph: Callable[[Path], str | None] | None = field(default=None, compare=False)
    aligned: bool = False

    def people(self) -> Iterator[Person]:
        """Everyone, family by family."""
        return (person for family in self.families for person in family.people.values())

    def nuclear(self) -> Iterator[tuple[Family, NuclearFamily]]:
        """Every nuclear family with the extended one it belongs to."""
        return ((family, nuclear) for family in self.families for nuclear in family.nuclear)
