"""Strengths of edits that bring a child's attributes near those of the true child, sought through pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

DAMPING, EASED, TIGHTENED = 1.0, 0.4, 3.0  # of a step; after one that helped; after one that did not
ENOUGH = 1e-4  # of squared error; what is gained less is nothing
STALLED, PROBE = 1e-2, 0.3  # a step that is too small to look at; what is tried of each strength instead


@dataclass(frozen=True)
class Sought:
    """strengths: the best that were found, [K]. before, after: mean squared error with none, and with these. looks:
    pictures that were looked at."""

    strengths: Tensor
    before: float
    after: float
    looks: int


def seek_strengths(
    look: Callable[[Tensor], Tensor], target: Tensor, effects: Tensor, looks: int = 12, reach: float = 3.0
) -> Sought:
    """The strengths with the least mean squared error of attributes.

    look: strengths [K] → attributes [A] of the picture, in standard deviations, NaN where one can't be seen. target:
    those of the true child, [A]. What is NaN there, or in the first look, is left out. effects: what a strength of
    one does to each attribute, [A, K], as models have it. looks: pictures that may be looked at, the first included.
    reach: of each strength.

    Source: damped least squares (Levenberg 1944) whose effects are corrected by what each look shows (Broyden 1965).
    Where that leads nowhere, each strength is moved a little in turn. Pictures give no gradient here, for analysers
    may be anything.
    """
    best = torch.zeros(effects.shape[1], dtype=torch.float64)
    first = look(best).double() - target.double()
    known, effects, damping, done = ~first.isnan(), effects.double().clone(), DAMPING, 1
    residual = first.nan_to_num(0.0)
    before = error = _mean(residual, known)
    probes = 0  # since the last gain
    while done < looks and probes < len(best):
        moved = (best + _step(effects, residual, damping, known)).clamp(-reach, reach) - best
        if float(moved.abs().max()) < STALLED:
            moved = _probe(best, probes, reach)
            probes += 1
        done += 1
        there = look(best + moved).double() - target.double()
        there = torch.where(there.isnan(), residual, there)  # what can't be seen for once is no gain
        surprise = there - residual - effects @ moved
        effects = effects + surprise[:, None] * moved[None] / moved.square().sum()
        if (found := _mean(there, known)) < error - ENOUGH:
            best, residual, error, damping, probes = best + moved, there, found, damping * EASED, 0
        else:
            damping *= TIGHTENED
    return Sought(best, before, error, done)


def _probe(best: Tensor, at: int, reach: float) -> Tensor:
    """A small move of one strength, to see what it does."""
    moved = torch.zeros_like(best)
    moved[at] = PROBE if float(best[at]) + PROBE <= reach else -PROBE
    return moved


def mean_of_others(strengths: Tensor, families: Sequence[str]) -> Tensor:
    """For each row of strengths [n, K] the mean over the rows of other families; zeros where there are none."""
    found = torch.zeros_like(strengths)
    for row, family in enumerate(families):
        others = [at for at, other in enumerate(families) if other != family]
        if others:
            found[row] = strengths[others].mean(0)
    return found


def _mean(residual: Tensor, known: Tensor) -> float:
    return float(residual[known].square().mean().nan_to_num(0.0))


def _step(effects: Tensor, residual: Tensor, damping: float, known: Tensor) -> Tensor:
    inside = effects * known[:, None]
    normal = inside.T @ inside + damping * torch.eye(effects.shape[1], dtype=torch.float64)
    step: Tensor = -torch.linalg.solve(normal, inside.T @ residual)
    return step
