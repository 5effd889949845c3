"""Directions of feature models, and an editor that moves codes along them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel
from torch import Tensor

from kinblend.errors import UsageError
from kinblend.experiments.feature_models import CodeBasis, NumberModel
from kinblend.interfaces import Context, Editor

Kind = Literal["weights", "pattern"]
KINDS: tuple[Kind, ...] = ("weights", "pattern")


@dataclass(frozen=True)
class Directions:
    """What raises each attribute by one standard deviation, as its model reads it.

    names: of the attributes. steps: float64 [K, L, D]. effects: what each step does to each attribute that was asked
    for, [A, K], in its standard deviations, as the models have it.
    """

    names: Sequence[str]
    steps: Tensor
    effects: Tensor

    def moved(self, code: Tensor, strengths: Tensor) -> Tensor:
        """A code [L, D] by strengths [K] further: float32 [L, D]."""
        return (code.double() + torch.einsum("k,kld->ld", strengths.double(), self.steps)).float()


def directions_of(models: Sequence[NumberModel], basis: CodeBasis, components: Tensor, kind: Kind) -> Directions:
    """Directions of models of numbers. components: of the faces that they were fitted to, [n, r].

    kind: "weights": along a model's weights, the shortest change of a code that it reads as wanted. "pattern": as
    codes of faces differ on average that differ in the reading, covariance · weights (Haufe et al. 2014, "On the
    interpretation of weight vectors of linear models"), which stays where faces are."""
    weights = torch.stack([model.weights for model in models], 1)
    spreads = torch.tensor([model.spread for model in models], dtype=torch.float64)
    away = components - components.mean(0)
    raw = weights if kind == "weights" else away.T @ (away @ weights) / len(away)
    steps = raw * (spreads / (raw * weights).sum(0).clamp_min(1e-30))
    effects = (weights.T @ steps) / spreads[:, None]
    return Directions([model.name for model in models], torch.stack([basis.code(step) for step in steps.T]), effects)


def file_names(names: Sequence[str]) -> dict[str, str]:
    """Attribute → what it is called where only lower case and dashes are allowed; each once."""
    found: dict[str, str] = {}
    for name in names:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "attribute"
        slug, number = base, 2
        while slug in found.values():
            slug, number = f"{base}-{number}", number + 1
        found[name] = slug
    return found


class NoOptions(BaseModel):
    """It has none."""


class FeatureEditor(Editor):
    """code + strength · step, for several attributes at once. directions: of the context's latent space."""

    def __init__(self, directions: Directions, context: Context) -> None:
        super().__init__(NoOptions(), context)
        self._directions = directions

    def attributes(self) -> dict[str, str]:
        return {name: f"+ is more of {name}, one standard deviation a unit" for name in self._directions.names}

    def edit(self, codes: Tensor, strengths: Mapping[str, float]) -> Tensor:
        if unknown := set(strengths) - set(self._directions.names):
            raise UsageError(
                f"unknown attribute {sorted(unknown)[0]!r}; there are: {', '.join(self._directions.names)}"
            )
        wanted = torch.tensor([float(strengths.get(name, 0.0)) for name in self._directions.names])
        return torch.stack([self._directions.moved(code, wanted) for code in codes]) if len(codes) else codes
