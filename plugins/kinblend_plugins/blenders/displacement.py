"""A head that may leave what lies between the parents: how far the child is from their average."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend.blend import weighted_sum

GROUPS = 6  # of neighbouring layers: W+ codes hardly differ within one
UNLIKE = 30.0  # how soon two parents count as two people: their embeddings' squared distance is above 0.1
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

    Three linear maps with a normalisation in between: what an identity network would see in either parent (`reader`),
    whom to expect of two such parents (`heredity`), and how codes differ between people who differ so (`writer`). The
    displacement becomes weights as far as it leads from one parent towards the other, element by element, and an
    offset where it leads elsewhere: an average of two codes lies nearer to the mean face than either, and no weights
    in [0, 1] make up for that. In the finer half of the layers, which hold colour and light, there is no offset:
    complexion stays between the parents'. Where both parents are one, the child is that parent. Untrained it is
    `average`; `training.regression` fits it to families.

    layers, dim: of the codes. size: E, of the embeddings.
    """

    centre: Tensor
    spread: Tensor
    group: Tensor

    def __init__(self, layers: int, dim: int, size: int = 128) -> None:
        super().__init__()
        groups = min(GROUPS, layers)
        self.register_buffer("group", torch.arange(layers) * groups // layers)
        self.groups = groups
        self.register_buffer("centre", torch.zeros(groups * dim))
        self.register_buffer("spread", torch.ones(groups * dim))
        self.reader = nn.Linear(groups * dim, size)
        self.heredity = nn.Linear(size, size)
        self.writer = nn.Linear(size, groups * dim, bias=False)
        for layer in (self.heredity, self.writer):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.heredity.bias)

    def measure(self, codes: Tensor) -> None:
        """Take centre and spread from codes [n, L, D]."""
        seen = self.grouped(codes)
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
        offset = (father + mother) / 2 + away - weighted_sum(father, mother, weights)
        return Prediction(weights, offset * (self.group < self.groups / 2)[:, None])

    def displacement(self, father: Tensor, mother: Tensor) -> Tensor:
        """How far from the average families let one expect the child: both [n, L, D] → [n, L, D]."""
        one, other = self.read(father), self.read(mother)
        two_people = torch.tanh(UNLIKE * (one - other).square().sum(1, keepdim=True))
        away = two_people * self.writer(self.expect(one, other) - (one + other) / 2)
        away = away * LIMIT / away.square().mean(1, keepdim=True).clamp_min(LIMIT**2).sqrt()
        result: Tensor = (away * self.spread).unflatten(1, (self.groups, -1))[:, self.group]
        return result

    def read(self, codes: Tensor) -> Tensor:
        """What is to be seen of codes [n, L, D]: unit embeddings [n, E]."""
        return F.normalize(self.reader(self.standardized(codes)), dim=1)

    def expect(self, one: Tensor, other: Tensor) -> Tensor:
        """Unit embeddings of two people [n, E] → of their child, [n, E]."""
        both = F.normalize(one + other, dim=1)
        return F.normalize(both + self.heredity(both), dim=1)

    def standardized(self, codes: Tensor) -> Tensor:
        """The mean of each group of layers, in standard deviations: [n, L, D] → [n, G·D]."""
        return (self.grouped(codes) - self.centre) / self.spread

    def grouped(self, codes: Tensor) -> Tensor:
        """The mean of each group of layers: [n, L, D] → [n, G·D]."""
        return torch.cat([codes[:, self.group == number].mean(1) for number in range(self.groups)], 1)


def predict(network: nn.Module, father: Tensor, mother: Tensor) -> Prediction:
    """What any head gives for both codes, [n, L, D] each."""
    if isinstance(network, DisplacementModel):
        return network.predict(father, mother)
    return Prediction(network(father, mother))
