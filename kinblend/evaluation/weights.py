"""What the weight maps of a strategy say: by layer, by element, by parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from kinblend.backbone import make_plugin
from kinblend.errors import UsageError
from kinblend.interfaces import network_of

if TYPE_CHECKING:
    from kinblend.backbone import Backbone
    from kinblend.families.trios import Trios
    from kinblend.interfaces import Blender

MOST = 20  # pairs of layer and dimension that are listed


@dataclass(frozen=True)
class Summary:
    """Of the weight maps of n couples, over the elements in use.

    mean, variance: of each element over the couples, float32 [L, D]; NaN where the backbone uses no such element.
    layers: the average weight of each layer. layer_deviation: the mean distance of its weights from 0.5.
    bias: the overall mean. deviation: the overall mean distance from 0.5. between: the share of the weights' variance
    that lies between couples, the rest being the same for all of them. mirror: how far w(f, m) + w(m, f) is from 1.
    """

    mean: Tensor
    variance: Tensor
    layers: Sequence[float]
    layer_deviation: Sequence[float]
    bias: float
    deviation: float
    between: float
    mirror: float


@dataclass(frozen=True)
class Consistent:
    """An element whose weight varies little from couple to couple."""

    layer: int
    dimension: int
    variance: float
    mean: float


def weight_maps(
    backbone: Backbone,
    trios: Trios,
    rows: Sequence[int],
    strategy: str,
    options: Mapping[str, Any],
    swapped: bool = False,
) -> Tensor:
    """Weight maps of a strategy for the couples of these rows: float32 [n, L, D].

    options: the strategy's. swapped: the parents change places. Raises `UsageError` where there
    is no couple.
    """
    if not rows:
        raise UsageError("there is no couple to analyze in that part of the trios")
    blender = cast("Blender", make_plugin("blender", strategy, backbone.context, options))
    couples = ((trios.father[row], trios.mother[row]) for row in rows)
    with backbone.pool.lease(network_of(blender), "blender"):
        return torch.stack([blender.weights(*(pair[::-1] if swapped else pair), 0) for pair in couples])


def used_elements(trios: Trios) -> Tensor:
    """Elements that are not the same in everyone: bool [L, D]. A backbone may leave dimensions of a layer empty."""
    people = torch.cat([trios.father, trios.mother])
    return people.amax(0) > people.amin(0)


def summarize(maps: Tensor, swapped: Tensor, used: Tensor) -> Summary:
    """maps, swapped: [n, L, D], what `weight_maps` gave for both orders of the parents. used: bool [L, D]."""
    mean, variance = maps.mean(0), maps.var(0, correction=0)
    kept = torch.where(used, maps, torch.nan)
    away = (kept - 0.5).abs()
    total = float(maps[:, used].var(correction=0))
    return Summary(
        torch.where(used, mean, torch.nan),
        torch.where(used, variance, torch.nan),
        [float(value) for value in kept.nanmean((0, 2))],
        [float(value) for value in away.nanmean((0, 2))],
        float(kept.nanmean()),
        float(away.nanmean()),
        float(variance[used].mean()) / total if total else 0.0,
        float((maps + swapped - 1)[:, used].abs().mean()),
    )


def most_consistent(summary: Summary, count: int = MOST) -> list[Consistent]:
    """The elements of the smallest variance, first the smallest."""
    order = summary.variance.nan_to_num(torch.inf).flatten().argsort(stable=True)[:count]
    dim = summary.variance.shape[1]
    places = [divmod(int(place), dim) for place in order]
    return [Consistent(i, d, float(summary.variance[i, d]), float(summary.mean[i, d])) for i, d in places]
