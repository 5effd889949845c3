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
    count = len(means)
    drawn = means[_choices(count, seed)].mean(1)
    low, high = drawn.quantile((1 - LEVEL) / 2), drawn.quantile((1 + LEVEL) / 2)
    return Estimate(float(means.mean()), float(low), float(high), count)


def _choices(count: int, seed: int) -> Tensor:
    """What `random.Random(seed).choices` draws of `count`, DRAWS times, integers [DRAWS, count]; faster."""
    *words, place = random.Random(seed).getstate()[1]
    numbers = np.random.RandomState()
    numbers.set_state(("MT19937", np.array(words, np.uint32), place, 0, 0.0))
    return torch.from_numpy((numbers.random_sample((DRAWS, count)) * count).astype(np.int64))


@dataclass(frozen=True)
class CrossedEstimate:
    """A mean, or a difference of two, of answers that participants gave about couples, with its 95 % interval.

    low, high: None where nothing can be said: of one participant, of one couple, or where all answers are the same.
    answers, participants, couples: how many it rests on.
    """

    mean: float
    low: float | None
    high: float | None
    answers: int
    participants: int
    couples: int

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:.3f} [–]"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def over_participants_and_couples(
    values: Tensor,
    participants: Sequence[str],
    couples: Sequence[str],
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> CrossedEstimate | None:
    """The mean of `values` [n]; None where there are none.

    Other participants and other couples would have given another mean, so both are drawn with replacement. Each of
    the two bootstraps counts the scatter of single answers, which is therefore deducted once. bounds: of the values;
    the interval is cut to them.

    Source: Cameron, Gelbach & Miller 2011, "Robust inference with multiway clustering", with bootstrap variances, and
    quantiles of Student's t with one degree of freedom less than there are participants or couples.
    """
    if not len(values):
        return None
    values = values.double()
    mean = values.mean()
    factors = [_numbered(names) for names in (participants, couples)]
    return _crossed(float(mean), (values - mean) / len(values), factors, bounds, seed)


def paired_difference(
    values: Tensor, side: Tensor, participants: Sequence[str], couples: Sequence[str], seed: int = 0
) -> CrossedEstimate | None:
    """How much higher `values` [n] are where `side`, bool [n], is true; None without rows on both sides.

    Paired by participant and by couple: what each of them adds to all values, on both sides, is estimated and taken
    out (least squares with an effect of each participant and of each couple). The interval is as in
    `over_participants_and_couples`. Where no participant or no couple has both sides, nothing can be paired: then it
    is the plain difference, without an interval.
    """
    if not bool(side.any()) or bool(side.all()):
        return None
    factors = [_numbered(names) for names in (participants, couples)]
    values, one = values.double(), side.double()
    centred, contrast = _without_effects(values, factors), _without_effects(one, factors)
    size, effects = float(contrast.square().sum()), sum(_groups(factors)) - 1
    if size < 1e-6 or len(values) <= effects + 1:
        plain = float(values[side].mean() - values[~side].mean())
        return CrossedEstimate(plain, None, None, len(values), *_groups(factors))
    difference = float((contrast * centred).sum()) / size
    shares = contrast * (centred - difference * contrast) / size
    # Least squares takes as many degrees of freedom out of the residuals as there are effects.
    shares = shares * (len(values) / (len(values) - effects - 1)) ** 0.5
    return _crossed(difference, shares, factors, None, seed)


def _crossed(
    figure: float, shares: Tensor, factors: Sequence[Tensor], bounds: tuple[float, float] | None, seed: int
) -> CrossedEstimate:
    """shares: what each answer adds to the figure's error [n]. factors: the groups of each answer, [n] each."""
    generator, groups = torch.Generator().manual_seed(seed), _groups(factors)
    variances = [_bootstrap_variance(shares, factor, generator) for factor in factors]
    scatter = float(shares.square().sum())
    variance = max(variances[0] + variances[1] - scatter, scatter)
    estimate = CrossedEstimate(figure, None, None, len(shares), *groups)
    if min(groups) < 2 or not variance > 1e-12:
        return estimate
    half = t_quantile((1 + LEVEL) / 2, min(groups) - 1) * variance**0.5
    low, high = bounds or (-math.inf, math.inf)
    return replace(estimate, low=max(low, figure - half), high=min(high, figure + half))


def t_quantile(share: float, freedom: int) -> float:
    """The quantile of Student's t, share in (0.5, 1), within 1 % for shares up to 0.99.

    Source: exact for one and two degrees of freedom, else Abramowitz & Stegun 1964, formula 26.7.5.
    """
    if freedom == 1:
        return math.tan(math.pi * (share - 0.5))
    if freedom == 2:
        return (2 * share - 1) / math.sqrt(2 * share * (1 - share))
    z = NormalDist().inv_cdf(share)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, start=1)))


def _bootstrap_variance(shares: Tensor, factor: Tensor, generator: torch.Generator) -> float:
    """Of the sum of `shares` [n], with the groups of a factor, [n], drawn with replacement."""
    count = int(factor.max()) + 1
    if count < 2:
        return 0.0
    sums = torch.zeros(count, dtype=torch.float64).index_add_(0, factor, shares)
    drawn = sums[torch.randint(count, (DRAWS, count), generator=generator)].sum(1)
    return float(drawn.var()) * count / (count - 1)


def _without_effects(values: Tensor, factors: Sequence[Tensor]) -> Tensor:
    """What is left of values [n] when each group of both factors has mean 0, by alternating projections."""
    for _ in range(SWEEPS):
        before = values
        for factor in factors:
            sums = torch.zeros(int(factor.max()) + 1, dtype=torch.float64).index_add_(0, factor, values)
            values = values - (sums / factor.bincount())[factor]
        if float((values - before).abs().max()) < 1e-10:
            break
    return values


def _groups(factors: Sequence[Tensor]) -> tuple[int, int]:
    first, second = (int(factor.max()) + 1 for factor in factors)
    return first, second


def _numbered(names: Sequence[str]) -> Tensor:
    known = {name: number for number, name in enumerate(sorted(set(names)))}
    return torch.tensor([known[name] for name in names])
