"""The loop of a training: steps, with checkpoints, measurements and lines of progress at their intervals."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from kinblend.errors import Interrupted
from kinblend.training.log import Means, check_finite
from kinblend.training.ranks import Ranks


class Training(Protocol):
    """What `run_training` goes through."""

    seconds: float
    """How long it has been trained, over all runs."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to learn."""

    @property
    def steps(self) -> int:
        """How many steps were taken, over all runs."""

    def step(self) -> Mapping[str, Tensor | float]:
        """Learn from one batch, or in one epoch. Returns the losses: scalars without gradient."""

    def save(self, losses: Mapping[str, float]) -> None:
        """Write a checkpoint. losses: their means since the last."""

    def report(self, losses: Mapping[str, float]) -> None:
        """Tell how it goes. losses: their means since the last checkpoint."""

    def measure(self) -> None:
        """Measure on what was held out, and draw sheets."""


@dataclass(frozen=True)
class Intervals:
    """Seconds from one to the next; 0: after every step, infinity: never.

    first_measure: measure before the first step, too.
    """

    save: float = 60.0
    report: float = 15.0
    measure: float = 300.0
    first_measure: bool = False


def run_training(
    training: Training, intervals: Intervals, *, finish_step: bool = True, ranks: Ranks | None = None
) -> None:
    """Take steps until the training is done; then save and measure once more.

    Interrupted by Ctrl-C or SIGTERM, it finishes the step, saves and raises `Interrupted`; a second Ctrl-C ends it at
    once. finish_step: False where a step takes minutes; it is given up then, and the last checkpoint stands.

    ranks: of a training that several processes share, where all call this. They go by the first one's clock and
    signals, and it alone saves, reports and measures.

    Raises:
        Interrupted: as said.
        KinblendError: where a loss is not a number any more; nothing is saved then.
    """
    with interruption(finish_step) as stop:
        stopped = _run(training, intervals, stop, ranks or Ranks(torch.device("cpu")))
    if stopped:
        raise Interrupted


def _run(training: Training, intervals: Intervals, stop: threading.Event, ranks: Ranks) -> bool:
    """Returns whether it was interrupted."""
    started = time.monotonic()
    saved = reported = 0.0
    measured = -math.inf if intervals.first_measure else 0.0
    before, last, means = training.seconds, training.steps, Means()
    while True:
        now, stopping = ranks.agree((time.monotonic() - started, stop.is_set()))
        training.seconds = before + now
        over = bool(stopping) or training.done
        if training.steps > last and (over or now - saved >= intervals.save):
            found = means.means()
            check_finite(found, training.steps)
            if ranks.first:
                training.save(found)
            saved, last = now, training.steps
            means.clear()
        if not stopping and (over or now - measured >= intervals.measure):
            if ranks.first:
                training.measure()
            measured = now
        if over:
            return bool(stopping) or stop.is_set()
        means.add(training.step())
        if ranks.first and time.monotonic() - started - reported >= intervals.report:
            reported = time.monotonic() - started
            training.report(means.means())


@contextmanager
def interruption(finish_step: bool = True) -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second SIGINT interrupts as ever.

    finish_step: False: the first one interrupts as well. Outside of the main thread signals are not looked at.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def handle(number: int, frame: object) -> None:
        if not finish_step or (stop.is_set() and number == signal.SIGINT):
            raise Interrupted
        stop.set()

    for kind in kinds:
        signal.signal(kind, handle)
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
