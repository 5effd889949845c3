"""A head that may leave what lies between the parents: how far the child is from their average."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from kinblend.interfaces import weighted_sum

GROUPS = 6  # of neighbouring layers: W+ codes hardly differ within one
HIDDEN = 512
DROPOUT = 0.1
GAIN_PACE = 30.0  # the gains learn at so many times the pace of the matrices
LIMIT = 1.0  # root mean square of a displacement, in standard deviations of codes


class Prediction(NamedTuple):
    """weights: the father's share, [n, L, D] in [0, 1]. offset: what is added to the weighted sum, [n, L, D]; None
    for nothing."""

    weights: Tensor
    offset: Tensor | None = None

    def child(self, father: Tensor, mother: Tensor) -> Tensor:
        """The child's codes, [n, L, D]."""
        between = weighted_sum(father, mother, self.weights)
        return between if self.offset is None else between + self.offset


class DisplacementModel(nn.Module):
    """Both codes → how far the child lies from the average of both; the same for either order of the parents.

    The displacement becomes weights as far as it leads from one parent towards the other, element by element, and an
    offset where it leads elsewhere: an average of two codes lies nearer to the mean face than either, and no weights
    in [0, 1] make up for that. Where both parents differ, a gain of each element moves the child away from the mean;
    what else is to be known of a couple, the networks say. Where both parents are one, the child is that parent. It
    begins as `average`.

    layers, dim: of the codes. centre, spread: mean and standard deviation of codes, [G·D], the groups of layers one
    after the other; to be set by `measure` before training.
    """

    centre: Tensor
    spread: Tensor
    group: Tensor

    def __init__(self, layers: int, dim: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        groups = min(GROUPS, layers)
        self.register_buffer("group", torch.arange(layers) * groups // layers)
        self.groups = groups
        self.register_buffer("centre", torch.zeros(groups * dim))
        self.register_buffer("spread", torch.ones(groups * dim))
        self.face_encoder = nn.Sequential(
            nn.Linear(groups * dim, hidden), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(hidden, hidden)
        )
        self.couple = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.GELU())
        self.away_gain = nn.Parameter(torch.zeros(groups * dim))
        self.displacement_decoder = nn.Linear(hidden, groups * dim)
        nn.init.zeros_(self.displacement_decoder.weight)
        nn.init.zeros_(self.displacement_decoder.bias)

    def measure(self, codes: Tensor) -> None:
        """Take centre and spread from codes [n, L, D]."""
        seen = self._grouped(codes)
        self.centre.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0).clamp_min(1e-6))

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        """The weights alone: both [n, L, D] → [n, L, D] in [0, 1]."""
        return self.predict(father, mother).weights

    def predict(self, father: Tensor, mother: Tensor) -> Prediction:
        """Weights and offset. Gradients reach the child, not the weights by themselves."""
        away = self.displacement(father, mother)
        with torch.no_grad():
            apart = father - mother
            shares = torch.where(apart == 0, torch.zeros_like(apart), away / apart)
            weights = (0.5 + shares).clamp(0, 1)
        return Prediction(weights, (father + mother) / 2 + away - weighted_sum(father, mother, weights))

    def displacement(self, father: Tensor, mother: Tensor) -> Tensor:
        """How far the child lies from the average: both [n, L, D] → [n, L, D]."""
        ours, theirs = self._standardized(father), self._standardized(mother)
        one, other = self.face_encoder(ours), self.face_encoder(theirs)
        alone = (self._decode(one, one) + self._decode(other, other)) / 2
        away = self._decode(one, other) - alone
        away = away + GAIN_PACE * self.away_gain * (ours + theirs) * torch.tanh((ours - theirs).square())
        away = away * LIMIT / away.square().mean(1, keepdim=True).clamp_min(LIMIT**2).sqrt()
        result: Tensor = (away * self.spread).unflatten(1, (self.groups, -1))[:, self.group]
        return result

    def _decode(self, one: Tensor, other: Tensor) -> Tensor:
        """In standard deviations, [n, G·D]."""
        result: Tensor = self.displacement_decoder(self.couple(torch.cat([one + other, (one - other).abs()], 1)))
        return result

    def _standardized(self, codes: Tensor) -> Tensor:
        return (self._grouped(codes) - self.centre) / self.spread

    def _grouped(self, codes: Tensor) -> Tensor:
        """The mean of each group of layers: [n, L, D] → [n, G·D]."""
        return torch.cat([codes[:, self.group == number].mean(1) for number in range(self.groups)], 1)


def predict(network: nn.Module, father: Tensor, mother: Tensor) -> Prediction:
    """What any head gives for both codes, [n, L, D] each."""
    if isinstance(network, DisplacementModel):
        return network.predict(father, mother)
    return Prediction(network(father, mother))
