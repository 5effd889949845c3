"""Readers and steps in a latent space that is nearly Gaussian.

StyleGAN's w is the output of a leaky ReLU; undone, it is nearly normal (Wulff and Torralba, "Improving inversion and
generation diversity in StyleGAN using a Gaussianized latent space", 2020). There the mean of all codes whose readings
have changed by Δ is Σ R (Rᵀ Σ R)⁻¹ Δ away, R the readers and Σ the covariance: of all ways to change some readings
and keep others it is the shortest as Mahalanobis measures, so that it keeps as much of a person as there is to keep.
"""

from __future__ import annotations

import torch
from torch import Tensor

JITTER = 1e-6


def linear_reader(x: Tensor, y: Tensor, strength: float, weights: Tensor | None = None) -> tuple[Tensor, float]:
    """A ridge regression of y [n] on x [n, m]: its weights [m], and what is added. weights: of the rows."""
    weights = torch.ones_like(y) if weights is None else weights
    centre, level = (weights @ x) / weights.sum(), (weights @ y) / weights.sum()
    away = x - centre
    normal = (weights[:, None] * away).T @ away + strength * torch.eye(x.shape[1]).to(x)
    found: Tensor = torch.linalg.solve(normal, (weights[:, None] * away).T @ (y - level))
    return found, float(level - centre @ found)


def conditional_steps(readers: Tensor, covariance: Tensor) -> Tensor:
    """For each reader the step that raises its reading by one and leaves all others: [m, k] → [m, k]."""
    spread = covariance @ readers
    inner = readers.T @ spread
    steps: Tensor = spread @ torch.linalg.inv(
        inner + JITTER * inner.diagonal().mean() * torch.eye(len(inner)).to(inner)
    )
    return steps


def rising(x: Tensor, y: Tensor, at: Tensor, least: float) -> Tensor:
    """A piecewise linear curve through points (x, y), by least squares, that rises by at least `least` a unit of x.

    x, y: [n]. at: [K], the knots. Returns [K]. Neighbouring slopes that come out too small are pooled with the next
    (Barlow and others 1972), after a little smoothing, so that a knot without points follows its neighbours.
    """
    from kinblend_plugins.interfacegan.training.regression import linear_basis

    design = linear_basis(x, at.tolist())
    bends = torch.diff(torch.eye(len(at)).to(x), n=2, dim=0)
    normal = design.T @ design + 0.5 * bends.T @ bends + 1e-6 * torch.eye(len(at)).to(x)
    values = torch.linalg.solve(normal, design.T @ y)
    steps = torch.diff(at) * least
    pooled = _pooled(values - torch.cat([steps.new_zeros(1), steps.cumsum(0)]), design.sum(0) + 0.1)
    return pooled + torch.cat([steps.new_zeros(1), steps.cumsum(0)])


def _pooled(values: Tensor, weights: Tensor) -> Tensor:
    """The nearest values that never fall: means of what would."""
    blocks: list[list[float]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            upper = blocks.pop()
            lower = blocks[-1]
            total = lower[1] + upper[1]
            blocks[-1] = [(lower[0] * lower[1] + upper[0] * upper[1]) / total, total, lower[2] + upper[2]]
    return torch.tensor([block[0] for block in blocks for _ in range(int(block[2]))]).to(values)
