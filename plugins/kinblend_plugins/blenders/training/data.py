"""The families of a training: which rows it learns from, and what is changed about them on the way."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import load_backbone
from kinblend.datasets import Trios, join_trios, load_trios
from kinblend.errors import InputError, UsageError
from kinblend.evaluation.retrieval import mean_auc
from kinblend_plugins.blenders.heredity import load_heredity
from kinblend_plugins.blenders.proxy import Bridge
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.photographs import of_children, of_parents


@dataclass(frozen=True)
class People:
    """codes: [n, L, D]. embeddings: unit embeddings [n, E]."""

    codes: Tensor
    embeddings: Tensor


@dataclass(frozen=True)
class Batch:
    """father, mother: codes [n, L, D]. target: unit embeddings [n, E]. families: numbers [n]."""

    father: Tensor
    mother: Tensor
    target: Tensor
    families: Tensor

    def rows(self, take: Callable[[Tensor], Tensor]) -> Batch:
        """What `take` makes of each of them, such as some of the rows."""
        return Batch(take(self.father), take(self.mother), take(self.target), take(self.families))

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return self.rows(lambda tensor: tensor.to(device))


def read_trios(options: TrainOptions) -> tuple[Trios, Trios | None]:
    """All trios, and the mirrored ones or None. Raises `InputError`."""
    space = load_backbone(options.backbone or None).space

    def read(paths: Sequence[Path]) -> Trios:
        return join_trios([load_trios(path, space).seen_by(options.identity) for path in paths], options.seed)

    return read(options.trios), read(options.mirrored) if options.mirrored else None


class Families:
    """Rows by part, their targets, and batches.

    bridge: gives the children's embeddings where the trios' are not what it speaks of (`projection`).
    drawn: further people to learn from, where anyone is paired with anyone.
    Raises `InputError` where there are too few families, or no embeddings of the parents where they are the target.
    """

    def __init__(
        self,
        options: TrainOptions,
        trios: Trios,
        mirrored: Trios | None,
        bridge: Bridge | None,
        drawn: People | None = None,
    ) -> None:
        self.options, self._trios = options, trios
        self.parts = {name: list(rows) for name, rows in trios.split_rows(options.seed).items()}
        if not (self.parts["train"] and self.parts["val"]):
            raise InputError("the trios come from too few families to be split; at least ten are needed")
        everyone = [trios] if mirrored is None else [trios, mirrored]
        if mirrored is not None:
            rows = mirrored.split_rows(options.seed)["train"]
            self.parts["train"] = self.parts["train"] + [len(trios) + row for row in rows]
        self.father = torch.cat([some.father for some in everyone])
        self.mother = torch.cat([some.mother for some in everyone])
        self.child = torch.cat([_children(some, bridge) for some in everyone])
        names = [family for some in everyone for family in some.families]
        numbers = {name: number for number, name in enumerate(sorted(set(names)))}
        self.families = torch.tensor([numbers[name] for name in names])
        if options.shuffle_children:
            self._shuffle()
        self.target, self._people = self.child, None
        if options.paired:
            father, mother = (torch.cat(known) for known in zip(*map(of_parents, everyone), strict=True))
            self._expected = _expectation(options, trios.identity)
            self.target = self._expected(father, mother)
            codes = torch.cat([some.child for some in everyone])
            rows = self.parts["train"]
            everybody = zip((self.father, self.mother, codes), (father, mother, self.child), strict=True)
            people = [People(theirs[rows], known[rows]) for theirs, known in everybody]
            people += [] if drawn is None else [drawn]
            self._people = People(
                torch.cat([one.codes for one in people]), torch.cat([one.embeddings for one in people])
            )

    def auc(self, found: Tensor, part: str) -> float:
        """Of predictions for a part's rows, as `evaluate blender` computes it; NaN without other families."""
        rows = self.parts[part]
        return mean_auc(self._trios.select(rows), found, self.child[rows])

    def counts(self) -> dict[str, int]:
        """How many trios each part has."""
        return {name: len(rows) for name, rows in self.parts.items()}

    def epoch(self, generator: torch.Generator, noise: float) -> list[Batch]:
        """The training families once, in random order, changed as the options say; where anyone is paired with
        anyone, each of the people once on either side of a couple by chance."""
        if self._people is None:
            rows = torch.tensor(self.parts["train"])
            chosen = rows[torch.randperm(len(rows), generator=generator)]
            batches = [self._batch(some) for some in chosen.split(self.options.batch)]
        else:
            batches = self._couples(self._people, generator)
        return [self._changed(one, generator, noise) for one in batches if len(one.father) > 1]

    def batches(self, part: str) -> list[Batch]:
        """A part of the families, as they are."""
        return [self._batch(rows) for rows in torch.tensor(self.parts[part]).split(self.options.batch)]

    def _batch(self, rows: Tensor) -> Batch:
        return Batch(self.father[rows], self.mother[rows], self.target[rows], self.families[rows])

    def _couples(self, people: People, generator: torch.Generator) -> list[Batch]:
        """People paired by chance; each couple is a family of its own."""
        codes, known = people.codes, people.embeddings
        orders = [torch.randperm(len(codes), generator=generator).split(self.options.batch) for _ in range(2)]
        return [
            Batch(codes[one], codes[other], self._expected(known[one], known[other]), torch.arange(len(one)))
            for one, other in zip(*orders, strict=True)
        ]

    def _changed(self, one: Batch, generator: torch.Generator, noise: float) -> Batch:
        father, mother = one.father, one.mother
        if self.options.swap:
            swapped = (torch.rand(len(father), generator=generator) < 0.5)[:, None, None]
            father, mother = torch.where(swapped, mother, father), torch.where(swapped, father, mother)
        if noise:
            father = father + noise * torch.randn(father.shape, generator=generator)
            mother = mother + noise * torch.randn(mother.shape, generator=generator)
        return Batch(father, mother, one.target, one.families)

    def _shuffle(self) -> None:
        """Children change families within their part: the same faces, no inheritance."""
        before = self.child.clone()
        for rows in self.parts.values():
            mixed = random.Random(self.options.seed).sample(rows, len(rows))
            self.child[rows] = before[mixed]


def _expectation(options: TrainOptions, identity: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Unit embeddings of both parents, [n, E] each → of the child to aim at.

    identity: the network that they come from. Raises `CheckpointError`, and `UsageError` for another's heredity.
    """
    heredity = None if options.heredity is None else load_heredity(options.heredity)
    if heredity is not None and heredity.identity != identity:
        raise UsageError(f"{options.heredity} is of {heredity.identity}'s embeddings, the trios are of {identity}'s")

    @torch.no_grad()
    def expected(father: Tensor, mother: Tensor) -> Tensor:
        both = F.normalize(father + mother, dim=1)
        if heredity is None:
            return both
        share = options.heredity_share
        return F.normalize((1 - share) * both + share * heredity(both), dim=1)

    return expected


def _children(trios: Trios, bridge: Bridge | None) -> Tensor:
    with torch.no_grad():
        return of_children(trios) if bridge is None else bridge(trios.child)
