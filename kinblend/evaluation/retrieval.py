"""Is a prediction more like the true child than like other families' children?

Embeddings are float32 [n, E] of unit length, a row for each trio. Candidates of a row are the children of other
families, of the same sex where it is known.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.families.trios import Trios


@dataclass(frozen=True)
class Scores:
    """Of each row, float32 [n].

    auc: the share of candidates less like the prediction than the true child; rank: the true child's place among
    them, 1 the first. own, others: cosine to the true child and, on average, to the candidates.
    """

    auc: Tensor
    rank: Tensor
    own: Tensor
    others: Tensor


def candidates(trios: Trios) -> Tensor:
    """Who else a row's child might have been: bool [n, n]."""
    families = _numbers(trios.families)
    sex = _numbers(trios.groups.get("sex", [""] * len(trios)))
    unknown = torch.tensor([not value for value in trios.groups.get("sex", [""] * len(trios))])
    same = (sex[:, None] == sex[None, :]) | unknown[:, None]
    return (families[:, None] != families[None, :]) & same


def mean_auc(trios: Trios, found: Tensor, truth: Tensor) -> float:
    """The mean over trios that have candidates, each family counting once, as in `bootstrap.over_families`.

    NaN where none has. found, truth: as `scores` takes them.
    """
    values = scores(found, truth, candidates(trios)).auc
    families, known = _numbers(trios.families), ~values.isnan()
    count = families.bincount(known.float())
    sums = families.bincount(values.nan_to_num())
    return float((sums / count)[count > 0].mean())


def auc(own: Tensor, others: Tensor, among: Tensor) -> Tensor:
    """How often what belongs to a row is more like it than a candidate is, a tie counting half: float32 [n].

    own: similarity to what belongs to it, [n]. others: to everybody, [n, m]. among: who is a candidate, bool [n, m].
    NaN for a row without candidates.
    """
    less = (others < own[:, None]).float() + 0.5 * (others == own[:, None]).float()
    return (less * among).sum(1) / among.sum(1)


def scores(found: Tensor, truth: Tensor, others: Tensor) -> Scores:
    """found: predictions, NaN where there is none. truth: the children. others: what `candidates` gave."""
    cosines = found @ truth.T
    own = cosines.diagonal()
    less = (cosines < own[:, None]).float() + 0.5 * (cosines == own[:, None]).float()
    among = others.float()
    count = among.sum(1)
    rank = torch.where(count > 0, 1 + count - (less * among).sum(1), torch.nan)  # none without anybody to compare
    return Scores(
        _kept(auc(own, cosines, others), own),
        _kept(rank, own),
        own,
        _kept((cosines.nan_to_num() * among).sum(1) / count, own),
    )


def siblings(trios: Trios, everyone: Trios, seed: int = 0) -> Tensor:
    """A picture's embedding of a sibling drawn for each row, unit length [n, E]; NaN where there is none.

    everyone: where siblings are looked for, by house and another child's name.
    """
    numbers, found = random.Random(seed), torch.full_like(trios.embedding, torch.nan)
    rows_of: dict[str, list[int]] = {}
    for row, house in enumerate(everyone.nuclear_families):
        rows_of.setdefault(house, []).append(row)
    for row, (house, child) in enumerate(zip(trios.nuclear_families, trios.children, strict=True)):
        others = [other for other in rows_of.get(house, []) if everyone.children[other] not in ("", child)]
        if child and others:
            found[row] = F.normalize(everyone.embedding[numbers.choice(others)], dim=0)
    return found


def _kept(values: Tensor, like: Tensor) -> Tensor:
    return torch.where(torch.isnan(like), torch.nan, values)


def _numbers(names: Sequence[str]) -> Tensor:
    known = {name: number for number, name in enumerate(sorted(set(names)))}
    return torch.tensor([known[name] for name in names])
