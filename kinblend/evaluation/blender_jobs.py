"""What processes do for `evaluation.blender`: blend a batch of couples, render the children, and look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.evaluation.attributes import SIDE, measure
from kinblend.evaluation.processes import SharedBackbone
from kinblend.faces.attributes import NAMES
from kinblend.faces.detect import detect_many
from kinblend.identity import embedder_on, load_identity
from kinblend.imaging import to_pictures
from kinblend.interfaces import network_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

BATCH, SEEDS = 16, 4

Strategy = tuple[str, Mapping[str, Any]]


class Renderer:
    """Codes of a backbone → pictures → embeddings. identity: the name of the network of these."""

    def __init__(self, shared: SharedBackbone, identity: str) -> None:
        self.shared, self.identity = shared, load_identity(identity)
        self._see = embedder_on(self.identity, shared.backbone.pool.device)

    def blend(self, strategy: Strategy, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        """Children's codes [n, L, D] of parents' codes; the first child has this seed, the next the one after."""
        blender = self.shared.blender(*strategy)
        with torch.inference_mode(), self.shared.backbone.pool.lease(network_of(blender), "blender"):
            couples = zip(father, mother, strict=True)
            return torch.stack([blender.blend(*couple, seed + row).code for row, couple in enumerate(couples)])

    def render(self, codes: Tensor, size: int | None = None) -> Iterator[Tensor]:
        """Pictures of codes, detail not included, float32 [n, 3, S, S], batch by batch. size: S; by default the
        identity network's."""
        projector = self.shared.backbone.projector
        noise = projector.noise_kinds[0]
        for some in torch.split(codes, BATCH):
            with torch.inference_mode(), self.shared.backbone.pool.lease(network_of(projector), "projector"):
                pictures = projector.synthesize(some, noise=noise, size=size or self.identity.input_side)
            yield pictures

    def predict(self, codes: Tensor) -> Tensor:
        """Unit embeddings [n, E] of rendered codes."""
        return torch.cat([self.embed(pictures) for pictures in self.render(codes)])

    def embed(self, pictures: Tensor) -> Tensor:
        """Unit embeddings of pictures."""
        with torch.inference_mode():
            laid = pictures.contiguous(memory_format=torch.channels_last)
            return F.normalize(self._see(laid), dim=1).cpu()


@dataclass(frozen=True)
class ChildrenJob:
    """A batch of couples. Couple i has the seed `seeds[0]` + i, and for diversity those of the other `seeds`.

    father, mother: codes [n, L, D]. identity: as `Renderer` takes it. looked_at: so many of the couples, the first
    ones, are looked at for diversity and detection. measured: of these couples attributes are measured.
    """

    shared: SharedBackbone
    identity: str
    strategy: Strategy
    father: Array
    mother: Array
    seeds: Sequence[int]
    looked_at: int
    measured: Sequence[int]


@dataclass(frozen=True)
class Children:
    """What became of a batch. embeddings: [n, E]. diversity: of those that are looked at, as `Metrics` has it.
    detected: of the same, whether there is one face. attributes: [m, A]."""

    embeddings: Array
    diversity: Array
    detected: Sequence[bool]
    attributes: Array


@dataclass(frozen=True)
class MeasureJob:
    """A batch of codes [n, L, D], whose pictures' attributes are measured. identity: as `Renderer` takes it."""

    shared: SharedBackbone
    identity: str
    codes: Array


def make_children(job: ChildrenJob) -> Children:
    """Blend, render and look at a batch of children."""
    renderer = Renderer(job.shared, job.identity)
    father, mother = torch.tensor(job.father), torch.tensor(job.mother)
    codes = renderer.blend(job.strategy, father, mother, job.seeds[0])
    [pictures] = renderer.render(codes)
    embeddings, count = renderer.embed(pictures), job.looked_at
    others = [renderer.blend(job.strategy, father[:count], mother[:count], seed) for seed in job.seeds[1:] if count]
    return Children(
        embeddings.numpy(),
        _diversity(renderer, codes[:count], embeddings[:count], others).numpy(),
        [len(found) == 1 for found in detect_many(to_pictures(pictures[:count]))] if count else [],
        _attributes(renderer, codes[list(job.measured)]),
    )


def measure_codes(job: MeasureJob) -> Array:
    """Attributes [n, A] of a batch of codes."""
    return _attributes(Renderer(job.shared, job.identity), torch.tensor(job.codes))


def _diversity(renderer: Renderer, codes: Tensor, embeddings: Tensor, others: Sequence[Tensor]) -> Tensor:
    """One less the mean cosine between children of one couple, [n]. others: their codes by further seeds."""
    if all(torch.equal(codes, other) for other in others):
        return torch.zeros(len(codes))
    embedded = [embeddings, *map(renderer.predict, others)]
    pairs = [(a * b).sum(1) for i, a in enumerate(embedded) for b in embedded[:i]]
    return 1 - torch.stack(pairs).mean(0)


def _attributes(renderer: Renderer, codes: Tensor) -> Array:
    found = [measure(to_pictures(some)) for some in renderer.render(codes, SIDE)] if len(codes) else []
    return torch.cat([torch.zeros(0, len(NAMES)), *found]).numpy()
