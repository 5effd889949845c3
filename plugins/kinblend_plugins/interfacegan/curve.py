"""Piecewise linear curves."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Curve:
    """What a reading means, where another attribute stands at its low and at its high end.

    at: float32 [K], rising: readings in standard deviations. low, high: float32 [K], rising: what they mean in the
    attribute's own unit. ends: the values of the other attribute at which `low` and `high` hold.
    """

    at: Tensor
    low: Tensor
    high: Tensor
    ends: tuple[float, float] = (0.0, 1.0)

    @classmethod
    def of(cls, facts: dict[str, Any] | None) -> "Curve | None":
        """From a file's description: "at", "low", "high" and, where it depends on another attribute, "ends"."""
        if not facts:
            return None
        at, low, high = (torch.tensor(facts[name]) for name in ("at", "low", "high"))
        return cls(at, low, high, tuple(facts.get("ends", (0.0, 1.0))))

    def value(self, deviations: Tensor, others: Tensor) -> Tensor:
        """Readings [n] in the attribute's own unit, beside those of the other attribute [n]."""
        share = self._share(others)
        low, high = (interpolate(deviations, self.at, table[:, None])[:, 0] for table in (self.low, self.high))
        return low + (high - low) * share

    def deviations(self, value: float, others: Tensor) -> Tensor:
        """The readings [n] that mean a value: `value` turned round."""
        tables = self.low + (self.high - self.low) * self._share(others)[:, None]
        wanted = torch.tensor([value])
        return torch.cat([interpolate(wanted, table, self.at[:, None])[:, 0] for table in tables])

    def _share(self, others: Tensor) -> Tensor:
        low, high = self.ends
        return ((others - low) / (high - low)).clamp(0, 1)


def interpolate(values: Tensor, knots: Tensor, table: Tensor) -> Tensor:
    """The rows of a table [K, …] between its knots [K], rising, at values [n], straight on beyond: [n, …]."""
    above = torch.searchsorted(knots, values).clamp(1, len(knots) - 1)
    share = (values - knots[above - 1]) / (knots[above] - knots[above - 1])
    share = share.reshape(-1, *[1] * (table.ndim - 1))
    return table[above - 1] * (1 - share) + table[above] * share
