"""Strengths are found where they are, whatever the models thought; what can't be seen is no gain."""

import pytest
import torch

from kinblend.experiments.strengths import mean_of_others, seek_strengths

EFFECTS = torch.tensor([[1.0, 0.3], [-0.2, 1.0], [0.4, 0.4]])


def test_the_strengths_that_made_a_child_are_found() -> None:
    truth = torch.tensor([1.2, -0.7])
    found = seek_strengths(lambda s: EFFECTS @ s.float(), EFFECTS @ truth, EFFECTS, looks=12)
    torch.testing.assert_close(found.strengths.float(), truth, atol=0.05, rtol=0)
    assert found.before > 0.5 and found.after < 0.01 and found.looks <= 12


def test_models_that_are_wrong_are_corrected_by_what_is_seen() -> None:
    """The picture changes half as much as they think, and the other attribute with it."""
    seen = torch.tensor([[0.5, 0.5], [0.3, -0.6]])
    found = seek_strengths(lambda s: seen @ s.float(), torch.tensor([0.5, 0.9]), torch.eye(2), looks=30)
    assert found.after < 0.05 < found.before


def test_strengths_stay_within_reach_and_none_is_the_worst_there_is() -> None:
    far = seek_strengths(lambda s: s.float(), torch.tensor([9.0, 0.0]), torch.eye(2), looks=20, reach=2.0)
    assert float(far.strengths.abs().max()) <= 2
    useless = seek_strengths(lambda s: torch.tensor([0.0, 5.0]) + 3 * s.float().abs(), torch.zeros(2), torch.eye(2))
    assert useless.after == useless.before and float(useless.strengths.abs().max()) == 0


def test_what_is_not_seen_is_left_out_and_is_no_gain() -> None:
    target = torch.tensor([1.0, torch.nan, 2.0])

    def look(strengths: torch.Tensor) -> torch.Tensor:
        value = strengths.float()
        hidden = torch.nan if float(value[0]) else 0.0  # closed eyes, whenever anything is moved
        return torch.stack([value[0], value[0] * 7, torch.tensor(hidden)])

    found = seek_strengths(look, target, torch.tensor([[1.0], [0.0], [0.0]]), looks=20)
    assert found.before == pytest.approx((1 + 4) / 2)
    assert found.after == pytest.approx(4 / 2, abs=0.01)


def test_a_family_takes_no_strength_from_itself() -> None:
    strengths = torch.tensor([[1.0], [3.0], [100.0], [200.0]])
    found = mean_of_others(strengths, ["a", "b", "c", "c"])
    assert found[:, 0].tolist() == pytest.approx([303 / 3, 301 / 3, 2, 2])
    assert mean_of_others(strengths[:1], ["a"]).tolist() == [[0.0]]
