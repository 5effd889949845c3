"""How sure is a figure? Intervals over families, or participants and couples, drawn with replacement."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

DRAWS, LEVEL = 2000, 0.95
SWEEPS = 500  # of two factors' means that are taken out in turn; a few suffice where they are balanced


@dataclass(frozen=True)
class Estimate:
    """A mean over families with its 95 % interval. families: how many it rests on."""

    mean: float
    low: float
    high: float
    families: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def over_families(values: Tensor, families: Sequence[str], seed: int = 0) -> Estimate | None:
    """The mean of `values` [n], each family counting once; NaN is left out, and with nothing left there is None.

    Source: the percentile bootstrap of Efron (1979), with families as the units.
    """
    rows_of: dict[str, list[int]] = {}
    for row, family in enumerate(families):
        if not bool(torch.isnan(values[row])):
            rows_of.setdefault(family, []).append(row)
    if not rows_of:
        return None
    means = torch.tensor([float(values[rows].mean()) for rows in rows_of.values()])
