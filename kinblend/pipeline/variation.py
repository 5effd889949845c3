"""Brothers and sisters of one couple, and mutation: what a child has beside its strategy's blend.

Siblings differ in two ways (Fisher 1918, "The correlation between relatives on the supposition of Mendelian
inheritance"): each trait in which the parents differ comes from one of them (segregation), and each parent hands down
what does not show in their own face. The first moves a child between its parents' codes, along principal directions
each of which takes the side of one parent; the second moves it towards a person drawn from the generator. Mutation
puts parts of another drawn person in the place of the child's own (StyleGene, Li et al. 2023).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from kinblend.errors import LatentError, UnsupportedError, UsageError, wrap_plugin_errors
from kinblend.interfaces import HandsDownWhole, SamplesLatents, network_of
from kinblend.types import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

    from kinblend.backbone import Backbone
    from kinblend.interfaces import Editor, Projector

MOST_SIBLINGS, MOST_MUTATION = 1.5, 0.5
# The unit of `siblings`: at 1, brothers and sisters are as far apart as real ones, by dlib (docs/siblings.md).
SEGREGATION, HIDDEN = 1.5, 0.54
READ = {"age": Target(30.0, "years"), "gender": Target("male")}  # how far from these somebody is
SAMPLES = 4096  # codes whose principal directions are taken
STRANGER_PSI = 0.5  # how far strangers may be from the latent average
CANDIDATES = 16  # strangers of whom the one most like the child in age and sex is taken


class Variation:
    """What can be added to children in one latent space.

    backbone: whose generator draws people; where it draws none, siblings differ by segregation alone, along the
        code's dimensions, and there is no mutation.
    """

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone

    def check(self, siblings: float, mutation: float) -> None:
        """Raise `UsageError` for a value out of range, `UnsupportedError` where nobody can be drawn."""
        for name, value, most in (("siblings", siblings, MOST_SIBLINGS), ("mutation", mutation, MOST_MUTATION)):
            if not 0 <= value <= most:
                raise UsageError(f"{name} {value!r}: use 0 to {most:g}")
        if mutation and not isinstance(self._projector, SamplesLatents):
            raise UnsupportedError(
                f"the generator of {self.backbone.name} draws no people to take a mutation from; leave mutation out, "
                "ask for siblings, or use another backbone"
            )

    def siblings(self, father: Tensor, mother: Tensor, amount: float, seed: int) -> Tensor:
        """How far this child is from its strategy's, float32 [L, D].

        father, mother: codes, float32 [L, D]. amount: 0 for nothing, 1 for as much as between real siblings.
        """
        import torch

        draw, half = _generator("siblings", seed), (father - mother) / 2
        offset = torch.zeros_like(half)
        for name, rows in self._groups():
            if name in self._whole:
                offset[rows] = min(amount, 1.0) * half[rows] * (2 * torch.rand((), generator=draw) - 1)
            else:
                sides = torch.randint(0, 2, (half.shape[1],), generator=draw).to(half) * 2 - 1
                offset[rows] = amount * SEGREGATION * self._from_genes(self._to_genes(half[rows]) * sides)
        if isinstance(self._projector, SamplesLatents):
            person = self._draw(draw, 1.0) - self._projector.average()
            for rows in self._mixed():
                offset[rows] += amount * HIDDEN * person[rows]
        return offset

    def strangers(self, seed: int) -> Tensor:
        """Codes of people drawn for one child's mutation, float32 [n, L, D]."""
        import torch

        z = torch.randn(CANDIDATES, self._projector.space.dim, generator=_generator("stranger", seed))
        return self._map(z, STRANGER_PSI)

    def mutate(self, child: Tensor, stranger: Tensor, share: float, seed: int) -> Tensor:
        """A child's code with that share of its genes from a stranger, float32 [L, D]; at 0 the child itself.

        A gene is a principal direction of people in one group of layers; complexion and light stay as they are.
        """
        import torch

        draw, away, moved = _generator("mutation", seed), stranger - child, torch.zeros_like(child)
        for rows in self._mixed():
            taken = torch.rand(child.shape[1], generator=draw) < share
            moved[rows] = self._from_genes(self._to_genes(away[rows]) * taken)
        return child + moved

    @property
    def _projector(self) -> Projector:
        return self.backbone.projector

    @cached_property
    def _axes(self) -> Tensor | None:
        """Principal directions of drawn people as rows, float32 [D, D]; None where nobody can be drawn."""
        import torch

        if not isinstance(self._projector, SamplesLatents):
            return None
        z = torch.randn(SAMPLES, self._projector.space.dim, generator=torch.Generator().manual_seed(0))
        w = torch.cat([self._map(part, 1.0)[:, 0] for part in z.split(512)])
        axes: Tensor = torch.linalg.eigh(torch.cov(w.double().T))[1].T.float()
        return axes

    def _to_genes(self, codes: Tensor) -> Tensor:
        return codes if self._axes is None else codes @ self._axes.T

    def _from_genes(self, genes: Tensor) -> Tensor:
        return genes if self._axes is None else genes @ self._axes

    def _draw(self, draw: Generator, psi: float) -> Tensor:
        import torch

        return self._map(torch.randn(1, self._projector.space.dim, generator=draw), psi)[0]

    def _map(self, z: Tensor, psi: float) -> Tensor:
        """Codes of z, float32 [n, L, D]. Raises `PluginError` where the projector fails."""
        projector, pool = self._projector, self.backbone.pool
        assert isinstance(projector, SamplesLatents)
        with (
            pool.lease(network_of(self._projector), "projector"),
            wrap_plugin_errors(self._projector.title, LatentError),
        ):
            return projector.map(z, psi).float()

    @cached_property
    def _whole(self) -> frozenset[str]:
        """Groups of layers that lie as one between both parents': those that the projector names, else those that
        begin in the finer half of the layers. They hold complexion and light, which would leave the family."""
        projector = self._projector
        if isinstance(projector, HandsDownWhole):
            return frozenset(projector.whole_groups())
        return frozenset(name for name, rows in self._groups() if rows.start >= projector.space.layers / 2)

    def _groups(self) -> Iterator[tuple[str, slice]]:
        for name, (first, last) in self._projector.layer_groups().items():
            yield name, slice(first, last + 1)

    def _mixed(self) -> Iterator[slice]:
        """The groups of layers whose genes are handed down one by one."""
        return (rows for name, rows in self._groups() if name not in self._whole)


def nearest(editor: Editor | None, child: Tensor, people: Tensor) -> Tensor:
    """The person, float32 [L, D], whose age and sex are most like a child's, as far as an editor can read them.

    child: a code, [L, D]. people: [n, L, D]; the first of them where nothing can be read.
    """
    known = editor.targets() if editor else {}
    goals = {name: goal for name, goal in READ.items() if (goal.unit or goal.value) in known.get(name, ())}
    if editor is None or not goals:
        return people[0]
    with wrap_plugin_errors(editor.title):
        own, *others = (editor.strengths_for_targets(code.clone(), goals) for code in (child, *people))
    return people[min(range(len(people)), key=lambda one: sum(abs(others[one][name] - own[name]) for name in goals))]


def _generator(purpose: str, seed: int) -> Generator:
    """Random numbers of a child that are independent of what its strategy draws from the same seed."""
    import torch

    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
