"""Fits the head `displacement` to families: two ridge regressions, and the heredity that ranks true children first.

The regressions are Hoerl and Kennard's (1970, "Ridge regression: biased estimation for nonorthogonal problems"). No
picture is rendered but to choose how far to go. What a regression of codes on embeddings moves, moves as people
differ; a gradient through picture and identity network would find what only that network sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.datasets import Trios
from kinblend_plugins.blenders.displacement import DisplacementModel
from kinblend_plugins.blenders.training.heredity import choose
from kinblend_plugins.blenders.training.photographs import of_children, of_parents

RIDGES = (0.1, 0.3, 1.0, 3.0, 10.0)  # times the mean variance of what is regressed on
HELD_OUT = 5  # one person in so many chooses the ridge
STRENGTHS = (1.0, 0.8, 0.6, 0.4, 0.2)  # of the heredity that was learned
AS_GOOD = 0.005  # less AUC: more than chance tells apart on a few hundred families, and the milder face is chosen

Log = Callable[[str], None]


@torch.no_grad()
def fit(
    network: DisplacementModel,
    trios: Trios,
    children: Tensor | None,
    seed: int,
    judge: Callable[[], float],
    log: Log,
) -> dict[str, float]:
    """Set all of the network's weights.

    children: whom to expect of the couples, unit embeddings [n, E]; those of `trios`, or others for a control; None:
        the mean of both parents.
    judge: the AUC of the network's pictures on validation families. The strength of heredity is the weakest of those
        that are as good as the best.
    Returns the shares of variance that the regressions explain of families held out (`reader`, `writer`), the
    `strength` and its `auc`.
    Raises `InputError` where the parents' embeddings are not known.
    """
    rows = trios.split_rows(seed)["train"]
    codes = torch.cat([some[rows] for some in (trios.father, trios.mother, trios.child)])
    known = torch.cat([some[rows] for some in (*of_parents(trios), of_children(trios))])
    names = sorted({trios.families[row] for row in rows})
    held = torch.tensor([names.index(trios.families[row]) % HELD_OUT == 0 for row in rows]).repeat(3)
    network.measure(codes)
    standard, mean = network.standardized(codes), known.mean(0)
    reader, read = _ridge(standard, known - mean, held)
    writer, written = _ridge(known - mean, standard, held)
    network.reader.weight.copy_(reader.T)
    network.reader.bias.copy_(mean)
    network.writer.weight.copy_(writer.T)
    explained = {"reader": read, "writer": written}
    if children is None:
        return explained
    both = F.normalize(network.read(trios.father) + network.read(trios.mother), dim=1)
    with torch.enable_grad():
        change = choose(trios, both, children, seed, log).change.state_dict()
    scores = {}
    for strength in STRENGTHS if change["weight"].any() else (0.0,):  # all alike where nothing was learned
        _set_heredity(network, change, strength)
        scores[strength] = judge()
        log(f"strength {strength}: AUC {scores[strength]:.4f}")
    strength = min(each for each, auc in scores.items() if auc >= max(scores.values()) - AS_GOOD)
    _set_heredity(network, change, strength)
    return {**explained, "strength": strength, "auc": scores[strength]}


def _set_heredity(network: DisplacementModel, change: Mapping[str, Tensor], strength: float) -> None:
    network.heredity.weight.copy_(strength * change["weight"])
    network.heredity.bias.copy_(strength * change["bias"])


def _ridge(given: Tensor, wanted: Tensor, held: Tensor) -> tuple[Tensor, float]:
    """The linear map [I, O] from [n, I] to [n, O], with the ridge that explains most of the rows held out, of which
    it then learns too; and how much that is, at most 1."""
    scores = {ridge: _explained(given, wanted, held, ridge) for ridge in RIDGES}
    best = max(scores, key=scores.__getitem__)
    return _solve(given, wanted, best), scores[best]


def _explained(given: Tensor, wanted: Tensor, held: Tensor, ridge: float) -> float:
    left = wanted[held] - given[held] @ _solve(given[~held], wanted[~held], ridge)
    return 1 - float(left.square().sum() / wanted[held].square().sum())


def _solve(given: Tensor, wanted: Tensor, ridge: float) -> Tensor:
    moments = given.T @ given / len(given)
    moments.diagonal().add_(ridge * moments.diagonal().mean())
    solved: Tensor = torch.linalg.solve(moments, given.T @ wanted / len(given))
    return solved
