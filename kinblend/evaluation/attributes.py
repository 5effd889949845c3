"""Do predicted children have the true ones' attributes, and does one parent's value win over the other's?

Values are float32 [n, A], a row for each trio and a column for each attribute, NaN where one could not be measured.
All are of pictures that one projector rendered of codes: of the prediction, the true child and the parents alike. So
a generator's habits of light and colour are not taken for a wrong prediction, and files of trios need no pictures;
what the encoder lost of a face is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend.evaluation.bootstrap import LEVEL, Estimate, over_families
from kinblend.faces.attributes import ATTRIBUTES, NAMES, measure_attributes

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 256  # px of the pictures that are measured
SHUFFLES = 200  # of children among families, for the null of dominance
LEAST = 30  # families that dominance is told from; intervals of fewer are too narrow


def measure(pictures: Sequence[Image]) -> Tensor:
    """Attributes of RGB crops in FFHQ geometry, [n, A]: the columns of `kinblend.faces.attributes.NAMES`."""
    found = [[one[name] for name in NAMES] for one in measure_attributes(pictures)]
    return torch.tensor(found, dtype=torch.float32).view(len(pictures), len(NAMES))


def one_row_each(families: Sequence[str], count: int) -> list[int]:
    """At most `count` rows, of as many families as there are: their first rows, then their second ones, and so on."""
    turns: dict[str, int] = {}
    order = []
    for row, family in enumerate(families):
        turns[family] = turns.get(family, 0) + 1
        order.append((turns[family], row))
    return sorted(row for _, row in sorted(order)[:count])


@dataclass(frozen=True)
class TrueChildren:
    """Their attributes, and whom they are compared with.

    values: [n, A]. others: who else a row's child might have been, bool [n, n] as `retrieval.candidates` gives it.
    families: n names.
    """

    values: Tensor
    others: Tensor
    families: Sequence[str]

    def errors(self, found: Tensor) -> dict[str, Estimate]:
        """Mean squared error of values [n, A], in squared standard deviations of true children, by attribute and, as
        the mean of its attributes, by group. Attributes that are the same in all children are left out."""
        return self._estimates((found - self.values).square())

    def null(self) -> dict[str, Estimate]:
        """The same of an unrelated child of the same sex: the mean over all candidates."""
        apart = (self.values[:, None] - self.values[None]).square()
        return self._estimates(self._mean_over_others(apart))

    def mean_child(self) -> dict[str, Estimate]:
        """The same of the mean of all candidates, which knows nothing of the parents: about 1."""
        return self.errors(self._mean_over_others(self.values[None].expand(len(self.values), -1, -1)))

    def deviations(self) -> Tensor:
        """Standard deviations of true children, [A]; NaN where there are none."""
        centred = self.values - self.values.nanmean(0)
        count = (~self.values.isnan()).sum(0)
        found = (centred.square().nansum(0) / (count - 1).clamp_min(1)).sqrt()
        return torch.where((count > 1) & (found > 1e-4), found, torch.nan)

    def _mean_over_others(self, values: Tensor) -> Tensor:
        return torch.where(self.others[:, :, None], values, torch.nan).nanmean(1)

    def _estimates(self, squares: Tensor) -> dict[str, Estimate]:
        scaled = squares / self.deviations().square()
        found: dict[str, Estimate] = {}
        for group, names in ATTRIBUTES.items():
            inside = [NAMES.index(name) for name in names]
            known = {group: scaled[:, inside].nanmean(1)} | {NAMES[at]: scaled[:, at] for at in inside}
            for name, values in known.items():
                if (estimate := over_families(values, self.families)) is not None:
                    found[name] = estimate
        return found


@dataclass(frozen=True)
class Dominance:
    """Where children lie between their parents, in half distances from the middle: 1 is the parent with the higher
    value, −1 the one with the lower.

    null: the same with children shuffled among families; its interval holds 95 % of the shuffles. seen: whether the
    interval excludes the null's mean, and the null's interval excludes the estimate.
    """

    share: Estimate
    null: Estimate

    @property
    def seen(self) -> bool:
        """Whether it is more than the null shows."""
        inside = self.share.low <= self.null.mean <= self.share.high
        return not inside and not self.null.low <= self.share.mean <= self.null.high


def dominance(
    child: Tensor, father: Tensor, mother: Tensor, others: Tensor, families: Sequence[str]
) -> Dominance | None:
    """Of one attribute, values [n] of each; None for fewer than 30 families whose members were all measured.

    The children are regressed on the parents' middle and on half their distance, families counting once; the second
    coefficient is what is said. The middle is in it, and an intercept, because children who are simply lighter, or
    blended parents who differ more where both are dark, would look like dominance otherwise.
    others: as `TrueChildren` has them; children are shuffled among these.
    """
    known = ~(child.isnan() | father.isnan() | mother.isnan())
    rows = known.nonzero()[:, 0]
    names = [families[int(row)] for row in rows]
    if len(set(names)) < LEAST:
        return None
    child, father, mother = (values[rows].double() for values in (child, father, mother))
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    weights = (1 / torch.tensor([names.count(name) for name in names])).double()
    fixed = torch.stack([torch.ones_like(child), (father + mother) / 2], dim=1)
    half = _residual((father - mother).abs() / 2, fixed, weights)
    size = (weights * half.square()).sum()
    if not size > 1e-9:
        return None

    def coefficient(children: Tensor) -> tuple[float, Tensor]:
        left = _residual(children, fixed, weights)
        slope = (weights * half * left).sum() / size
        return float(slope), left - slope * half

    slope, residual = coefficient(child)
    # What each row adds to the coefficient's error; its mean over families is 0.
    influence = len(numbers) * half * residual / size
    found = over_families((slope + influence).float(), names)
    among = others[rows][:, rows].float()
    generator = torch.Generator().manual_seed(0)
    some = torch.where(among.sum(1, keepdim=True) > 0, among, torch.ones_like(among))
    drawn = torch.multinomial(some, SHUFFLES, replacement=True, generator=generator)
    slopes = torch.tensor([coefficient(child[drawn[:, turn]])[0] for turn in range(SHUFFLES)])
    low, high = (float(slopes.quantile((1 + sign * LEVEL) / 2)) for sign in (-1, 1))
    return None if found is None else Dominance(found, Estimate(float(slopes.mean()), low, high, len(numbers)))


def dominances(truth: TrueChildren, father: Tensor, mother: Tensor) -> Iterator[tuple[str, Dominance]]:
    """Of each attribute that can be told, by name. father, mother: values [n, A]."""
    for at, name in enumerate(NAMES):
        columns_of = (truth.values[:, at], father[:, at], mother[:, at])
        found = dominance(*columns_of, truth.others, truth.families)
        if found is not None:
            yield name, found


def _residual(values: Tensor, fixed: Tensor, weights: Tensor) -> Tensor:
    """What weighted least squares on `fixed` [n, k] leaves of values [n]."""
    root = weights.sqrt()[:, None]
    solved = torch.linalg.pinv(root * fixed) @ (root[:, 0] * values)
    left: Tensor = values - fixed @ solved
    return left
