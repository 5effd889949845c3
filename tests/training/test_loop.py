"""The loop that every training goes through, its log, its moving average and when it stops."""

import math
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import nn

from kinblend.errors import Interrupted, KinblendError, UsageError
from kinblend.training.device import device_of
from kinblend.training.early_stopping import EarlyStopping
from kinblend.training.log import Means, TrainingLog, check_finite, line_of
from kinblend.training.loop import Intervals, run_training
from kinblend.training.moving_average import averaged_copy, update_average

NEVER = Intervals(save=math.inf, report=math.inf, measure=math.inf)


class Counting:
    """A training of `length` steps that remembers what was asked of it. during: called in each step."""

    def __init__(self, length: int, during: Callable[["Counting"], None] = lambda _: None) -> None:
        self.length, self.during = length, during
        self.steps, self.seconds = 0, 0.0
        self.saved: list[tuple[int, dict[str, float]]] = []
        self.reported, self.measured = 0, []

    @property
    def done(self) -> bool:
        return self.steps >= self.length

    def step(self) -> Mapping[str, torch.Tensor | float]:
        self.during(self)
        self.steps += 1
        return {"loss": torch.tensor(float(self.steps)), "weight": 1.0}

    def save(self, losses: Mapping[str, float]) -> None:
        self.saved.append((self.steps, dict(losses)))

    def report(self, losses: Mapping[str, float]) -> None:
        self.reported += 1

    def measure(self) -> None:
        self.measured.append(self.steps)


def test_it_saves_once_at_the_end_and_measures() -> None:
    training = Counting(4)
    run_training(training, NEVER)
    assert training.saved == [(4, {"loss": 2.5, "weight": 1.0})]
    assert (training.measured, training.reported) == ([4], 0)


def test_intervals_of_nothing_mean_after_every_step() -> None:
    training = Counting(3)
    run_training(training, Intervals(save=0, report=0, measure=0, first_measure=True))
    assert training.saved == [(number, {"loss": float(number), "weight": 1.0}) for number in (1, 2, 3)]
    assert (training.measured, training.reported) == ([0, 1, 2, 3], 3)


def test_a_training_that_is_done_is_not_saved_again() -> None:
    training = Counting(2)
    run_training(training, NEVER)
    run_training(training, NEVER)
    assert [number for number, _ in training.saved] == [2]


def test_time_adds_up_over_calls() -> None:
    training = Counting(2, lambda _: time.sleep(0.02))
    training.seconds = 100.0
    run_training(training, NEVER)
    assert 100.04 <= training.seconds < 110


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_finishes_the_step_and_saves(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    training = Counting(9, lambda t: signal.raise_signal(kind) if t.steps == 3 else None)
    with pytest.raises(Interrupted):
        run_training(training, NEVER)
    assert [number for number, _ in training.saved] == [4]
    assert training.measured == []
    assert signal.getsignal(kind) is before


@pytest.mark.parametrize(("finish_step", "times"), [(True, 2), (False, 1)])
def test_a_second_interrupt_or_one_in_a_long_step_ends_it_at_once(finish_step: bool, times: int) -> None:
    def twice(training: Counting) -> None:
        if training.steps == 3:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    training = Counting(9, twice)
    with pytest.raises(Interrupted):
        run_training(training, NEVER, finish_step=finish_step)
    assert (training.steps, training.saved) == (3, [])


def test_a_diverged_training_is_not_saved_and_says_what_to_do() -> None:
    training = Counting(2)
    training.step = lambda: (setattr(training, "steps", training.steps + 1), {"pixel": math.nan, "r1": 0.1})[1]
    with pytest.raises(KinblendError, match=r"before step 2 \(pixel\).*lower rate"):
        run_training(training, NEVER)
    assert training.saved == []
    check_finite({"pixel": 0.5}, 3)


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    lines: list[str] = []
    log = TrainingLog(tmp_path / "log.jsonl", lines.append)
    log.write({"step": 1, "loss": 0.5})
    log.write({"step": 2})
    log.tell(line_of({"loss": 0.123456}))
    assert log.read() == [{"step": 1, "loss": 0.5}, {"step": 2}]
    assert lines == ["loss 0.1235"]


def test_means_of_what_is_not_in_every_step() -> None:
    means = Means()
    means.add({"a": 1.0, "b": torch.tensor(4.0)})
    means.add({"a": 2.0})
    assert means.means() == {"a": 1.5, "b": 4.0}
    means.clear()
    assert means.means() == {}


def test_a_moving_average_follows_weights_and_statistics() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    average = averaged_copy(network)
    assert not average.training
    first = network[0].weight.detach().clone()
    with torch.no_grad():
        network[0].weight += 1.0
    network(torch.randn(8, 3))
    update_average(average, network, 0.75)
    torch.testing.assert_close(average[0].weight, first + 0.25)
    torch.testing.assert_close(average[1].running_mean, network[1].running_mean * 0.25)
    assert average[1].num_batches_tracked == 1
    assert not average[0].weight.requires_grad


def test_it_stops_when_nothing_gets_better() -> None:
    stopping = EarlyStopping(2)
    assert [stopping.better(score) for score in (3.0, 2.0, 2.0, 1.0, 1.5, math.nan)] == [
        True, True, False, True, False, False,
    ]  # fmt: skip
    assert stopping.over
    assert stopping.best == 1.0


def test_devices_by_name() -> None:
    assert device_of("cpu").type == "cpu"
    with pytest.raises(UsageError, match="auto, cpu, cuda"):
        device_of("gpu")
    if not torch.cuda.is_available():
        assert device_of("auto").type == "cpu"
        with pytest.raises(UsageError, match="no CUDA device"):
            device_of("cuda")
