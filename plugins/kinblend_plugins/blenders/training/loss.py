"""What is made small."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

DISTANCE = 0.05  # weight of the squared distance beside 1 − cos
TEMPERATURE = 0.05


def distance(one: Tensor, other: Tensor) -> Tensor:
    """(1 − cos) + 0.05 · squared distance, of unit embeddings [n, E]: [n]. Source: the student report."""
    return 1 - (one * other).sum(1) + DISTANCE * (one - other).square().sum(1)


def contrast(found: Tensor, children: Tensor, families: Tensor, rows: Tensor | None = None) -> Tensor:
    """How hard it is to tell the own child from other families' children, by the softmax over a batch.

    children: unit embeddings [n, E]. families: integers [n]. found: unit embeddings [m, E] of the trios at the places
    `rows`, integers [m]; by default of all. Returns [m].
    Source: van den Oord et al. 2018, "Representation learning with contrastive predictive coding".
    """
    likeness = found @ children.T / TEMPERATURE
    own = torch.arange(len(found)) if rows is None else rows
    own = own.to(found.device)
    others = families[own][:, None] != families[None, :]
    others[torch.arange(len(own), device=own.device), own] = True
    return F.cross_entropy(likeness.masked_fill(~others, -torch.inf), own, reduction="none")
