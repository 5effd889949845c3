"""Who is in a family tree, and how they belong together."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kinblend.pipeline.variation import MOST_MUTATION, MOST_SIBLINGS

LONGEST = 80  # letters of a name
OLDEST = 120  # years, of a photographed person
MAX_SEED = 2**63 - 2

Sex = Literal["female", "male", "girl", "boy", "any"]
SEXES: Mapping[str, Literal["girl", "boy"]] = {"female": "girl", "girl": "girl", "male": "boy", "boy": "boy"}
OF_PREDICTED = (
    "blender",
    "blender_options",
    "siblings",
    "mutation",
    "edits",
    "seed",
)  # fields that mean nothing beside a photograph


def _name(text: str) -> str:
    """A name in one spelling: letters composed, no space around."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if not text or not text.isprintable() or len(text) > LONGEST:
        raise ValueError(f"a name is one line of 1 to {LONGEST} letters")
    return text


Name = Annotated[str, AfterValidator(_name)]


class Person(BaseModel):
    """One person of a tree: photographed, or predicted as a child of two others. The file has these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="by which others name this person; each once in a tree")
    photo: str | None = Field(
        default=None,
        description="a photograph, a latent or the child.json of an earlier run, from the file's folder",
    )
    face: int | None = Field(default=None, ge=1, description="which face of the photograph, from the left")
    father: Name | None = Field(default=None, description="the name of another person")
    mother: Name | None = Field(default=None, description="likewise")
    age: float | None = Field(
        default=None, ge=0, le=OLDEST, description="in years; of a photograph, how old the person is in it"
    )
    sex: Sex | None = Field(default=None, description="left out: as father or mother, else drawn from the seed")
    blender: str | None = Field(default=None, description="the strategy, of this child alone")
    blender_options: dict[str, Any] = Field(default={}, description="its options")
    siblings: float | None = Field(
        default=None, ge=0, le=MOST_SIBLINGS, description="how far from brothers and sisters; left out: the tree's"
    )
    mutation: float | None = Field(
        default=None, ge=0, le=MOST_MUTATION, description="the share of neither parent; left out: the tree's"
    )
    edits: dict[str, float | str] = Field(default={}, description="attribute → strength or target, as smile = 1")
    seed: int | None = Field(
        default=None, ge=0, le=MAX_SEED, description="left out: the number among brothers and sisters, from 0"
    )

    @property
    def predicted(self) -> bool:
        """Whether this person has to be made: there is no photograph."""
        return self.photo is None


class TreeDefaults(BaseModel):
    """What a file has beside its people: what goes for all who say nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = ""
    blender: str | None = None
    blender_options: dict[str, Any] = {}
    siblings: float | None = Field(default=None, ge=0, le=MOST_SIBLINGS)
    mutation: float | None = Field(default=None, ge=0, le=MOST_MUTATION)


@dataclass(frozen=True)
class Couple:
    """Father and mother, by name, and their children in the order of the file."""

    father: str
    mother: str
    children: tuple[str, ...]

    def partner(self, name: str) -> str:
        """The other of the two."""
        return self.mother if name == self.father else self.father


@dataclass(frozen=True)
class FamilyTree:
    """A checked tree.

    people: by name, in the order of the file. title: a line above the picture; "" for none. blender, blender_options:
    the strategy of children that name none. siblings, mutation: of children that say none; None where the file says
    none. photos: the file of each photographed person. warnings: what is odd in the file, a line each.
    """

    people: Mapping[str, Person]
    title: str = ""
    blender: str | None = None
    blender_options: Mapping[str, Any] = field(default_factory=dict)
    siblings: float | None = None
    mutation: float | None = None
    photos: Mapping[str, Path] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    @property
    def defaults(self) -> TreeDefaults:
        """What goes for all."""
        return TreeDefaults(**{name: getattr(self, name) for name in TreeDefaults.model_fields})

    @cached_property
    def couples(self) -> tuple[Couple, ...]:
        """All who have children together, in the order of their first children."""
        return couples_of(self.people.values())

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Everybody, parents before their children, else in the order of the file."""
        return parents_first(self.people.values())

    @cached_property
    def parents(self) -> frozenset[str]:
        """The names of all who have children."""
        return frozenset(name for couple in self.couples for name in (couple.father, couple.mother))

    def sex(self, name: str) -> Literal["girl", "boy"] | None:
        """What the file says, by the field or by being a father or a mother; None where it does not."""
        if any(couple.father == name for couple in self.couples):
            return "boy"
        if any(couple.mother == name for couple in self.couples):
            return "girl"
        return SEXES.get(self.people[name].sex or "")

    def birth_number(self, name: str) -> int:
        """The number among the children of the same parents, from 0."""
        return next(couple.children.index(name) for couple in self.couples if name in couple.children)


def couples_of(people: Any) -> tuple[Couple, ...]:
    """The couples that people name as their parents."""
    children: dict[tuple[str, str], list[str]] = {}
    for person in people:
        if person.father is not None and person.mother is not None:
            children.setdefault((person.father, person.mother), []).append(person.name)
    return tuple(Couple(*pair, tuple(names)) for pair, names in children.items())


def parents_first(people: Any) -> tuple[str, ...]:
    """Names with parents before their children. Whoever is among their own ancestors is left out."""
    waiting, found = list(people), dict[str, None]()
    while ready := [one for one in waiting if {one.father, one.mother} - {None} <= set(found)]:
        found |= dict.fromkeys(one.name for one in ready)
        waiting = [one for one in waiting if one.name not in found]
    return tuple(found)
