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

from torch import Tensor

from kinblend.errors import Interrupted
from kinblend.training.log import Means, check_finite


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


def run_training(training: Training, intervals: Intervals, *, finish_step: bool = True) -> None:
    """Take steps until the training is done; then save and measure once more.

    Interrupted by Ctrl-C or SIGTERM, it finishes the step, saves and raises `Interrupted`; a second Ctrl-C ends it at
    once. finish_step: False where a step takes minutes; it is given up then, and the last checkpoint stands.

    Raises:
        Interrupted: as said.
        KinblendError: where a loss is not a number any more; nothing is saved then.
    """
    with interruption(finish_step) as stop:
        _run(training, intervals, stop)
    if stop.is_set():
        raise Interrupted


def _run(training: Training, intervals: Intervals, stop: threading.Event) -> None:
    started = saved = reported = time.monotonic()
    measured = -math.inf if intervals.first_measure else started
    before, last, means = training.seconds, training.steps, Means()
    while True:
        now = time.monotonic()
        training.seconds = before + now - started
        over = stop.is_set() or training.done
        if training.steps > last and (over or now - saved >= intervals.save):
            found = means.means()
            check_finite(found, training.steps)
            training.save(found)
            saved, last = now, training.steps
            means.clear()
        if not stop.is_set() and (over or now - measured >= intervals.measure):
            training.measure()
            measured = now
        if over:
            return
        means.add(training.step())
        if time.monotonic() - reported >= intervals.report:
            reported = time.monotonic()
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
