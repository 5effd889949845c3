"""What is inherited together: whether the weights of two groups of layers, or of two elements, go along with each
other from couple to couple."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ELEMENTS = 512  # those that vary most are compared, each with each
PAIRS = 20  # that are listed
DRAWS = 200  # of what chance gives
LEVEL = 0.95


@dataclass(frozen=True)
class Pair:
    """Two elements, each (layer, dimension), and the correlation of their weights over the couples."""

    one: tuple[int, int]
    other: tuple[int, int]
    correlation: float


@dataclass(frozen=True)
class Correlations:
    """Of the weight maps of n couples.

    groups: names of the groups of layers. matrix: correlations of their mean weights, [G, G]. group_bound,
    pair_bound: what the largest of all correlations stays below in 95 of 100 draws where couples are dealt anew to
    each group, and to each element: nothing goes along with anything there. pairs: the elements that go along most.
    """

    groups: Sequence[str]
    matrix: Tensor
    group_bound: float
    pairs: Sequence[Pair]
    pair_bound: float


def correlate(maps: Tensor, groups: Mapping[str, tuple[int, int]], used: Tensor, seed: int = 0) -> Correlations:
    """Correlations over couples.

    maps: weight maps, float32 [n, L, D]. groups: name → first and last layer. used: bool [L, D], the elements that
    differ from person to person. seed: of what chance gives.
    """
    generator = torch.Generator().manual_seed(seed)
    means = torch.stack([_mean_weight(maps, used, first, last) for first, last in groups.values()], 1)
    places = used.nonzero()
    places = places[maps[:, used].var(0).argsort(descending=True, stable=True)[:ELEMENTS]]
    elements = maps[:, places[:, 0], places[:, 1]]
    return Correlations(
        list(groups),
        correlation_matrix(means),
        _null_bound(means, DRAWS, generator),
        _strongest(correlation_matrix(elements), places),
        _null_bound(elements, DRAWS // 10, generator),
    )


def correlation_matrix(values: Tensor) -> Tensor:
    """Pearson's correlation of columns: [n, K] → [K, K]; 0 with a column that does not vary."""
    centred = values.double() - values.double().mean(0)
    length = centred.norm(dim=0)
    unit = torch.where(length > 1e-9, centred / length.clamp_min(1e-9), torch.zeros_like(centred))
    return (unit.T @ unit).float()


def _mean_weight(maps: Tensor, used: Tensor, first: int, last: int) -> Tensor:
    chosen = maps[:, first : last + 1][:, used[first : last + 1]]
    return chosen.mean(1) if chosen.shape[1] else maps.new_zeros(len(maps))


def _null_bound(values: Tensor, draws: int, generator: torch.Generator) -> float:
    """Of the largest correlation in size, where each column's rows are shuffled by themselves."""
    if values.shape[1] < 2:
        return 0.0
    largest = []
    for _ in range(draws):
        order = torch.rand(values.shape, generator=generator).argsort(0)
        largest.append(_between(correlation_matrix(values.gather(0, order))).abs().max())
    return float(torch.stack(largest).quantile(LEVEL))


def _between(matrix: Tensor) -> Tensor:
    """The correlations of different columns, each once."""
    rows, columns = torch.triu_indices(len(matrix), len(matrix), offset=1)
    return matrix[rows, columns]


def _strongest(matrix: Tensor, places: Tensor) -> list[Pair]:
    rows, columns = torch.triu_indices(len(matrix), len(matrix), offset=1)
    order = matrix[rows, columns].abs().argsort(descending=True, stable=True)[:PAIRS]
    found = []
    for pair in order.tolist():
        (i, d), (j, e) = places[rows[pair]].tolist(), places[columns[pair]].tolist()
        found.append(Pair((i, d), (j, e), float(matrix[rows[pair], columns[pair]])))
    return found
