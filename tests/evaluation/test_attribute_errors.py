"""Errors of attributes and dominance: planted ones are found, and none is found where there is none."""

import torch
from torch import Tensor

from kinblend.evaluation.attributes import Dominance, TrueChildren, dominance, one_row_each
from kinblend.faces.attributes import NAMES

COUNT = 240
FAMILIES = [f"F{row // 2}" for row in range(COUNT)]


def others() -> Tensor:
    numbers = torch.arange(COUNT) // 2
    return numbers[:, None] != numbers[None]


def made(seed: int = 0) -> Tensor:
    """Standard normal values [COUNT, A], the first column in other units."""
    values = torch.randn(COUNT, len(NAMES), generator=torch.Generator().manual_seed(seed))
    values[:, 0] *= 50
    return values


def test_errors_are_in_variances_and_an_unrelated_childs_is_two() -> None:
    truth = TrueChildren(made(), others(), FAMILIES)
    shifted = made()
    shifted[:, 0] += 50
    assert truth.errors(made())["face shape"].mean == 0
    assert 0.8 < truth.errors(shifted)["face width"].mean < 1.2
    assert truth.errors(shifted)["eye colour"].mean == 0
    assert abs(truth.errors(shifted)["face shape"].mean * 6 - truth.errors(shifted)["face width"].mean) < 1e-4
    null, mean = truth.null()["complexion"], truth.mean_child()["complexion"]
    assert null.low < 2 < null.high
    assert mean.low < 1.02 < mean.high < null.low
    assert null.families == 120


def test_what_is_not_seen_or_always_the_same_is_left_out() -> None:
    values = made()
    values[:, NAMES.index("hair L*")] = 40
    values[:20, NAMES.index("eye L*")] = torch.nan
    found = TrueChildren(values, others(), FAMILIES).null()
    assert "hair L*" not in found and "hair colour" in found
    assert found["eye L*"].families == 110


def planted(share: float, seed: int = 1) -> Dominance | None:
    """Children `share` half distances towards the parent with the higher value; all of them 1 lower, as the young.

    Parents differ more where their mean is higher, which must not be taken for dominance.
    """
    draw = torch.Generator().manual_seed(seed)
    father, mother = torch.randn(2, COUNT, generator=draw).exp()
    child = (father + mother) / 2 - 1 + share * (father - mother).abs() / 2
    child = child + 0.4 * torch.randn(COUNT, generator=draw)
    return dominance(child, father, mother, others(), FAMILIES)


def test_planted_dominance_is_found_and_its_size() -> None:
    for share in (0.7, -0.7):
        found = planted(share)
        assert found is not None and found.seen
        assert found.share.low < share < found.share.high
        assert found.null.low < 0 < found.null.high


def test_where_there_is_none_it_is_seldom_seen() -> None:
    seen = [found.seen for seed in range(20) if (found := planted(0.0, seed)) is not None]
    assert len(seen) == 20
    assert sum(seen) <= 4


def test_few_families_say_nothing_of_dominance() -> None:
    few = torch.arange(8.0)
    assert dominance(few, few, few.flip(0), others()[:8, :8], FAMILIES[:8]) is None


def test_rows_are_of_as_many_families_as_there_are() -> None:
    assert one_row_each(["A", "A", "A", "B", "C", "C"], 4) == [0, 1, 3, 4]
    assert one_row_each(["A", "A", "B"], 9) == [0, 1, 2]
