"""Which faces feature models are fitted to and tested on, and how they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from kinblend.errors import InputError, UnsupportedError, UsageError, wrap_plugin_errors
from kinblend.experiments.feature_models import (
    LEAST,
    ClassModel,
    CodeBasis,
    NumberModel,
    Scores,
    fit_class,
    fit_number,
)
from kinblend.experiments.looking import Looker
from kinblend.experiments.material import Material, Person
from kinblend.experiments.readings import Columns, Looks
from kinblend.interfaces import SamplesLatents, network_of

if TYPE_CHECKING:
    from kinblend.backbone import Backbone

Source = Literal["samples", "people"]
SOURCES: tuple[Source, ...] = ("samples", "people")
HELD_OUT = 5  # every fifth face, or family, is fitted by nothing
LOW_PSI, HIGH_PSI = 0.5, 1.0  # truncation of what is drawn
Tell = Callable[[str, int, int], None]  # what is done, how much of it, of how much


@dataclass(frozen=True)
class Faces:
    """Codes, float32 [n, L, D], and what is seen of each."""

    codes: Tensor
    looks: Sequence[Looks]

    def select(self, rows: Sequence[int]) -> Faces:
        """Some of them."""
        return Faces(self.codes[list(rows)], [self.looks[row] for row in rows])


@dataclass(frozen=True)
class Tests:
    """How a model does. own: on faces held out of those that it was fitted to the like of. people: on the pictures of
    people, none of whom it was fitted to; None where these are the same."""

    model: NumberModel | ClassModel
    own: Scores | None
    people: Scores | None


@dataclass(frozen=True)
class FeatureModels:
    """Everything that was fitted. source: to what. fitted, held_out: faces of it. people: how many of these were
    looked at. components: of the fitted faces, [n, r]."""

    source: Source
    basis: CodeBasis
    columns: Columns
    tests: Sequence[Tests]
    components: Tensor
    fitted: int
    held_out: int
    people: int

    def chosen(self, count: int, least: float) -> list[NumberModel]:
        """The models of numbers that read faces held out best, R² `least` or more; at most so many."""
        known = [
            (test.own.value, test.model) for test in self.tests if test.own and isinstance(test.model, NumberModel)
        ]
        good = sorted((pair for pair in known if pair[0] >= least), key=lambda pair: (-pair[0], pair[1].name))
        return [model for _, model in good[:count]]

    def spreads(self) -> Tensor:
        """Of each number in `columns`, over the faces that were fitted, [A]; NaN where it can't be read at all: an
        attribute that hardly anybody has would outweigh all others."""
        known = {
            test.model.name: test.model.spread
            for test in self.tests
            if isinstance(test.model, NumberModel) and test.own is not None and test.own.value > 0
        }
        return torch.tensor([known.get(name, float("nan")) for name in self.columns.names])


def choose_source(backbone: Backbone, source: Source | None) -> Source:
    """What is asked for; None: samples of the generator where it draws any. Raises `UnsupportedError`."""
    if source is not None and source not in SOURCES:
        raise UsageError(f"models can't be fitted to {source!r}; use {' or '.join(SOURCES)}")
    draws = isinstance(backbone.projector, SamplesLatents)
    if source == "samples" and not draws:
        raise UnsupportedError(f"{backbone.projector.title} draws no people of its own; fit the models to people")
    return source or ("samples" if draws else "people")


def fit_models(
    backbone: Backbone, looker: Looker, material: Material, source: Source, samples: int, seed: int, tell: Tell
) -> FeatureModels:
    """Fit and test. samples: how many faces are drawn. Raises `InputError` for too few people to fit to."""
    people = material.people()
    who = [(person.row, person.role) for person in people]
    looks = material.look(looker, who, lambda done, of: tell("people", done, of))
    seen = Faces(torch.stack([person.code for person in people]), looks)
    if source == "samples":
        codes = draw_codes(backbone, samples, seed)
        faces = Faces(codes, looker.codes(codes, lambda done, of: tell("samples", done, of)))
        held = [row for row in range(samples) if row % HELD_OUT == HELD_OUT - 1]
        tested: Faces | None = seen
    else:
        faces, held, tested = seen, _held_families(people), None
    fitted = sorted(set(range(len(faces.codes))) - set(held))
    if len(fitted) < LEAST:
        raise InputError(
            f"{len(fitted)} people are too few to fit models to: {LEAST} are needed beside the couples and those "
            "held out. List more families, ask for fewer couples, or fit to samples of a generator that draws them"
        )
    columns = Columns.of([*faces.looks, *seen.looks], looker.names)
    basis = CodeBasis.of(faces.codes[fitted])
    parts = [_Part.of(faces.select(rows), basis, columns) for rows in (fitted, held)]
    others = None if tested is None else _Part.of(tested, basis, columns)
    listed = [people[row].sex for row in (range(len(people)) if others else held)]
    tests = list(_tests(columns, parts[0], parts[1], others, listed))
    return FeatureModels(source, basis, columns, tests, parts[0].components, len(fitted), len(held), len(people))


def draw_codes(backbone: Backbone, count: int, seed: int) -> Tensor:
    """Codes that the generator draws, truncated by 0.5 to 1, float32 [n, L, D]; of more the first are the same."""
    projector = backbone.projector
    assert isinstance(projector, SamplesLatents)
    # Of generators of their own, so that the first hundred of two hundred are the hundred, and are seen already.
    faces, lengths = (torch.Generator().manual_seed(number) for number in (2 * seed, 2 * seed + 1))
    z = torch.stack([torch.randn(backbone.space.dim, generator=faces) for _ in range(count)])
    psi = LOW_PSI + (HIGH_PSI - LOW_PSI) * torch.rand(count, generator=lengths)
    with backbone.pool.lease(network_of(projector), "projector"), wrap_plugin_errors(projector.title):
        full = torch.cat([projector.map(one[None]) for one in z]).cpu()  # how a network rounds depends on the batch
        centre = projector.average().cpu()
    return centre + psi[:, None, None] * (full - centre)


def _held_families(people: Sequence[Person]) -> list[int]:
    """Rows of the couples' families, and of every fifth of the others."""
    others = sorted({person.family for person in people if not person.couple})
    held = set(others[HELD_OUT - 1 :: HELD_OUT])
    return [row for row, person in enumerate(people) if person.couple or person.family in held]


@dataclass(frozen=True)
class _Part:
    """Faces as models see them. components: [n, r]. values: of numbers, [n, A]."""

    components: Tensor
    values: Tensor
    looks: Sequence[Looks]

    @classmethod
    def of(cls, faces: Faces, basis: CodeBasis, columns: Columns) -> _Part:
        return cls(basis.components(faces.codes), columns.values(faces.looks), faces.looks)

    def number(self, model: NumberModel, at: int) -> Scores | None:
        return model.score(self.components, self.values[:, at])

    def words(self, model: ClassModel, words: Sequence[str]) -> Scores | None:
        return model.score(self.components, words)


def _tests(
    columns: Columns, fitted: _Part, held: _Part, people: _Part | None, listed: Sequence[str]
) -> Iterator[Tests]:
    """listed: the sex of each of the people as the list has it, "" where it has none."""
    for at, name in enumerate(columns.names):
        number = fit_number(name, fitted.components, fitted.values[:, at])
        if number is not None:
            yield Tests(number, held.number(number, at), None if people is None else people.number(number, at))
    for _, name, label in columns.classes:
        model = fit_class(label, fitted.components, columns.words(fitted.looks, label))
        if model is None:
            continue
        own = held.words(model, columns.words(held.looks, label))
        yield Tests(model, own, None if people is None else people.words(model, columns.words(people.looks, label)))
        if name == "gender" and set(model.classes) == {"f", "m"}:
            named = replace(model, name=f"{label}, as listed")
            yield (
                Tests(named, None, people.words(named, listed))
                if people
                else Tests(named, held.words(named, listed), None)
            )
