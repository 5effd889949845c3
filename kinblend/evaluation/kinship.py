"""Are parents and children known by their faces? Retrieval and verification of parent–child pairs, by a relation.

Verification follows the protocol of KinFaceW (Lu et al. 2014): five folds, as many wrong pairs as true ones, and the
threshold that serves best in the other four. Folds hold whole families.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinblend.errors import InputError
from kinblend.evaluation.bootstrap import Estimate, over_families
from kinblend.evaluation.retrieval import scores
from kinblend.families.pairs import Pair

FOLDS = 5
ALL = "all"


@dataclass(frozen=True)
class Kinship:
    """What was found of one relation.

    auc: the share of other families' children who are less like the parent than the child is. accuracy: of telling
    true from wrong pairs, None with fewer than ten families. first, tenth: shares of parents whose child is the most
    like them, or among the ten most. children: how many there are to choose from, on average.
    """

    pairs: int
    families: int
    auc: Estimate
    accuracy: float | None
    first: float
    tenth: float
    children: float


def evaluate_pairs(
    listed: Sequence[Pair], embeddings: Mapping[Path, Tensor], seed: int = 0
) -> dict[str, dict[str, Any]]:
    """A `Kinship` of each relation and of all, as JSON values; a person's first picture stands for them.

    embeddings: float32 [E] of unit length; pairs without both are left out. seed: draws the wrong pairs.
    Raises `InputError` where no relation has pairs of two families.
    """
    known = [pair for pair in listed if {pair.parent.pictures[0], pair.child.pictures[0]} <= embeddings.keys()]
    relations = sorted({pair.relation for pair in known})
    found = {}
    for name in [*relations, *([ALL] if len(relations) > 1 else [])]:
        some = [pair for pair in known if name in (pair.relation, ALL)]
        if len({pair.family for pair in some}) > 1:
            found[name] = asdict(_evaluate(some, embeddings, seed))
    if not found:
        raise InputError("no two families have a parent and a child in whose pictures one face was found")
    return found


def _evaluate(some: Sequence[Pair], embeddings: Mapping[Path, Tensor], seed: int) -> Kinship:
    parents, children = (
        torch.stack([embeddings[getattr(pair, role).pictures[0]] for pair in some]) for role in ("parent", "child")
    )
    families = [pair.family for pair in some]
    others = _others(some)
    found = scores(parents, children, others)
    auc = over_families(found.auc, families)
    if auc is None:
        raise InputError("nobody's child can be compared with another family's")
    ranks = found.rank[~found.rank.isnan()]
    return Kinship(
        len(some),
        len(set(families)),
        auc,
        _accuracy(parents @ children.T, others, families, seed),
        float((ranks <= 1).float().mean()),
        float((ranks <= 10).float().mean()),
        float(others.sum(1).float().mean()) + 1,
    )


def _others(some: Sequence[Pair]) -> Tensor:
    """Which children may be taken for the wrong one: of other families and the same relation, bool [n, n]; each
    child once, however many pairs it is in."""
    first = {(pair.family, pair.child.name, pair.relation): row for row, pair in reversed(list(enumerate(some)))}
    once = set(first.values())
    return torch.tensor(
        [
            [
                row in once and other.family != own.family and other.relation == own.relation
                for row, other in enumerate(some)
            ]
            for own in some
        ]
    )


def _accuracy(cosines: Tensor, others: Tensor, families: Sequence[str], seed: int) -> float | None:
    """The mean over the folds; None where there are fewer than two families for each."""
    names = sorted(set(families))
    if len(names) < 2 * FOLDS:
        return None
    draw = random.Random(seed)
    draw.shuffle(names)
    fold_of = {name: place % FOLDS for place, name in enumerate(names)}
    fold = torch.tensor([fold_of[family] for family in families])
    true, wrong = cosines.diagonal(), torch.full((len(families),), torch.nan)
    for row in range(len(families)):
        within = torch.nonzero(others[row] & (fold == fold[row])).flatten().tolist()
        if within:
            wrong[row] = cosines[row, draw.choice(within)]
    rates = []
    for number in range(FOLDS):
        here = fold == number
        threshold = _threshold(true[~here], wrong[~here])
        rates.append(_rate(true[here], wrong[here], threshold))
    return float(torch.stack(rates).mean())


def _threshold(true: Tensor, wrong: Tensor) -> Tensor:
    """The similarity that parts true from wrong pairs best, among those that occur."""
    candidates = torch.cat([true, wrong[~wrong.isnan()]])
    rates = torch.stack([_rate(true, wrong, candidate) for candidate in candidates])
    return candidates[rates.argmax()]


def _rate(true: Tensor, wrong: Tensor, threshold: Tensor) -> Tensor:
    wrong = wrong[~wrong.isnan()]
    right = (true >= threshold).sum() + (wrong < threshold).sum()
    return right / (len(true) + len(wrong))
