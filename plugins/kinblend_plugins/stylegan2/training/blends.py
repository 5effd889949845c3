"""Children of random parents for the discriminator to look at, so that blends are trained to be faces."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinblend.blend import weighted_sum

KINDS = 3  # one share for all, one a layer, one or the other parent for each dimension


@dataclass(frozen=True)
class Couples:
    """fathers, mothers: rows of a batch, [n] each; never the same one. weights: the father's share, [n, L, D]."""

    fathers: Tensor
    mothers: Tensor
    weights: Tensor

    def children(self, codes: Tensor) -> Tensor:
        """father·w + mother·(1 − w) of codes [m, L, D]: [n, L, D]."""
        return weighted_sum(codes[self.fathers], codes[self.mothers], self.weights)

    def rows(self, rows: Tensor) -> Couples:
        """Some of the couples."""
        return Couples(self.fathers[rows], self.mothers[rows], self.weights[rows])

    def to(self, device: torch.device) -> Couples:
        """The same on another device."""
        return Couples(self.fathers.to(device), self.mothers.to(device), self.weights.to(device))


def draw(parents: int, count: int, layers: int, dim: int, generator: torch.Generator) -> Couples:
    """`count` couples among `parents` rows, their shares drawn as the strategies average, layer and mask do."""
    fathers = torch.randint(parents, (count,), generator=generator)
    mothers = (fathers + torch.randint(1, parents, (count,), generator=generator)) % parents
    whole = torch.rand(count, 1, 1, generator=generator).expand(-1, layers, dim)
    layered = torch.rand(count, layers, 1, generator=generator).expand(-1, -1, dim)
    masked = (torch.rand(count, layers, dim, generator=generator) < 0.5).float()
    kind = torch.randint(KINDS, (count, 1, 1), generator=generator)
    weights = torch.where(kind == 0, whole, torch.where(kind == 1, layered, masked))
    return Couples(fathers, mothers, weights)
