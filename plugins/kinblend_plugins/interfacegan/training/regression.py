"""The statistics that directions are fitted with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

RIDGES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
FOLDS = 5


def ridge(x: Tensor, y: Tensor, strength: float) -> Tensor:
    """Weights of a ridge regression, solved in the space of the rows. x: [n, m], y: [n], both centred."""
    gram = x @ x.T
    weights: Tensor = x.T @ torch.linalg.solve(gram + strength * torch.eye(len(x)).to(x), y)
    return weights


def choose_ridge(x: Tensor, y: Tensor) -> float:
    """The strength of RIDGES that predicts held-out rows best, by five-fold cross-validation."""
    fold = torch.arange(len(y)) % FOLDS
    errors = dict.fromkeys(RIDGES, 0.0)
    for k in range(FOLDS):
        kept = fold != k
        mean, centre = x[kept].mean(0), y[kept].mean()
        for strength in RIDGES:
            found = (x[~kept] - mean) @ ridge(x[kept] - mean, y[kept] - centre, strength) + centre
            errors[strength] += float((y[~kept] - found).square().sum())
    return min(errors, key=lambda strength: errors[strength])


def r_squared(y: Tensor, found: Tensor) -> float:
    """The share of the variance of y that `found` explains."""
    return float(1 - (y - found).square().sum() / (y - y.mean()).square().sum())


def linear_basis(values: Tensor, knots: Sequence[float]) -> Tensor:
    """How near values are to each knot: piecewise linear, their sum one. [n] → [n, K]; beyond the ends as at them."""
    at = torch.tensor(knots, dtype=values.dtype)
    values = values.clamp(float(at[0]), float(at[-1]))
    above = torch.searchsorted(at, values, right=True).clamp(1, len(at) - 1)
    share = (values - at[above - 1]) / (at[above] - at[above - 1])
    rows = torch.arange(len(values))
    weights = values.new_zeros(len(values), len(at))
    weights[rows, above - 1] = 1 - share
    weights[rows, above] += share
    return weights


def conditional_means(codes: Tensor, design: Tensor, groups: Sequence[slice], smooth: Tensor) -> Tensor:
    """How codes change with each column of a design when the others stay: [k, m].

    codes: [n, m], centred. design: [n, k]. smooth: [k, k], a penalty that is added. groups: columns that belong
    together; what a dimension owes to a group is shrunk by how far it stands out of chance, 1 − 1/F (after James and
    Stein 1961), so that thousands of dimensions with no part in it add no noise.
    """
    normal = design.T @ design + smooth
    inverse = torch.linalg.inv(normal)
    found: Tensor = inverse @ design.T @ codes
    noise = (codes - design @ found).square().sum(0) / max(1, len(codes) - design.shape[1])
    for group in groups:
        part = found[group]
        size = len(part)
        spread = torch.linalg.inv(inverse[group, group])
        strength = torch.einsum("im,ij,jm->m", part, spread, part) / (size * noise.clamp_min(1e-12))
        found[group] = part * (1 - 1 / strength.clamp_min(1e-6)).clamp(min=0)
    return found
