"""What weight maps say: figures, consistent elements, and what is inherited together."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from kinblend import LatentSpace
from kinblend.datasets import Trios
from kinblend.evaluation.weight_correlations import correlate, correlation_matrix
from kinblend.evaluation.weight_report import figures_of, write_analysis
from kinblend.evaluation.weights import most_consistent, summarize, used_elements


def test_figures_of_known_weight_maps(tmp_path: Path) -> None:
    """Half of the elements always from the father, one that differs from couple to couple, and one not in use."""
    maps = torch.full((10, 2, 4), 0.5)
    maps[:, 0] = 1.0
    maps[:5, 1, 0], maps[5:, 1, 0] = 0.0, 1.0
    used = torch.ones(2, 4, dtype=torch.bool)
    used[1, 3] = False
    summary = summarize(maps, 1 - maps, used)
    assert summary.layers == pytest.approx([1.0, 0.5])
    assert summary.bias == pytest.approx((4 + 1.5) / 7)
    assert summary.deviation == pytest.approx((4 * 0.5 + 0.5) / 7)
    assert summary.mirror == pytest.approx(0)
    assert 0 < summary.between < 1
    listed = most_consistent(summary, 6)
    assert (1, 0) not in {(one.layer, one.dimension) for one in listed}
    assert all(one.variance == 0 for one in listed)
    together = correlate(maps, {"coarse": (0, 0), "fine": (1, 1)}, used)
    files = write_analysis(tmp_path, {"trained": summary, "untrained": summary}, 10, {"trained": together})
    assert "0.3488" in files[0].read_text()
    assert "## Inherited together" in files[0].read_text()
    assert all(path.stat().st_size > 50 for path in files)
    assert figures_of(summary)["smallest_variance"] == 0


def test_elements_that_are_the_same_in_everyone_are_not_in_use() -> None:
    father, mother = torch.randn(2, 5, 2, 4, generator=torch.Generator().manual_seed(5))
    father[:, 1, 2], mother[:, 1, 2] = 0, 0
    space = LatentSpace("test", 2, 4, "ab" * 32)
    trios = Trios(father, mother, father, torch.ones(5, 8), [f"F{row}" for row in range(5)], space)
    assert (~used_elements(trios)).nonzero().tolist() == [[1, 2]]


GROUPS = {"coarse": (0, 1), "middle": (2, 2), "fine": (3, 3)}
EVERYWHERE = torch.ones(4, 6, dtype=torch.bool)


def chance(couples: int, seed: int) -> Tensor:
    """Weight maps in which nothing goes along with anything."""
    return torch.rand(couples, 4, 6, generator=torch.Generator().manual_seed(seed))


def test_what_is_inherited_together_is_found_and_chance_is_not() -> None:
    maps = chance(300, 0)
    maps[:, 3] = 0.5 * maps[:, 0] + 0.5 * chance(300, 1)[:, 3]
    found = correlate(maps, GROUPS, EVERYWHERE)
    matrix = dict(zip([(a, b) for a in GROUPS for b in GROUPS], found.matrix.flatten().tolist(), strict=True))
    assert matrix["coarse", "fine"] > 2 * found.group_bound
    assert abs(matrix["coarse", "middle"]) < found.group_bound
    planted = [pair for pair in found.pairs if abs(pair.correlation) > found.pair_bound]
    assert {(pair.one[0], pair.other[0]) for pair in planted} <= {(0, 3), (3, 0)}
    assert {pair.one[1] == pair.other[1] for pair in planted} == {True}
    assert len(planted) == 6


def test_the_bounds_hold_in_about_nineteen_of_twenty_draws() -> None:
    found = [correlate(chance(60, seed), GROUPS, EVERYWHERE, seed) for seed in range(60)]
    above = sum(float((one.matrix - torch.eye(3)).abs().max()) > one.group_bound for one in found)
    assert 0 <= above <= 9
    pairs = sum(abs(one.pairs[0].correlation) > one.pair_bound for one in found)
    assert pairs <= 12


def test_weights_that_never_vary_go_along_with_nothing() -> None:
    values = torch.stack([torch.ones(10), torch.arange(10.0), -torch.arange(10.0)], 1)
    torch.testing.assert_close(
        correlation_matrix(values), torch.tensor([[0.0, 0, 0], [0, 1, -1], [0, -1, 1]]), atol=1e-6, rtol=0
    )
