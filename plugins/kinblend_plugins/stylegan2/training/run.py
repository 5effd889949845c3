"""A training from beginning to end, or from its last checkpoint on."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinblend.errors import Interrupted, UsageError
from kinblend.files import append_text
from kinblend_plugins.stylegan2.training import checkpoint, faces
from kinblend_plugins.stylegan2.training.export import export
from kinblend_plugins.stylegan2.training.metrics import measure, sheet
from kinblend_plugins.stylegan2.training.recipe import Recipe
from kinblend_plugins.stylegan2.training.session import Session, check_finite

WORK = "training"  # the folder in the pack's for log, sheets and checkpoints
LOG_SECONDS = 10.0  # seconds between two lines of progress


def train(options: Any, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Train as the options say and write the pack to `out`, and log, sheets and checkpoints to `out`/training.

    options: of `options.TrainOptions`, or a `Recipe`. Called again with the same `out` it goes on from the last
    checkpoint. progress: told how it goes. Interrupted by Ctrl-C or SIGTERM it finishes the step, writes a checkpoint
    and raises `Interrupted`. Returns `out`. Raises `OptionError`, `InputError`, `UsageError`.
    """
    recipe = options if isinstance(options, Recipe) else Recipe(**options.model_dump())
    run = Run(recipe, Path(out), progress or (lambda _: None))
    with interruption() as stop:
        run.go(stop)
    if stop.is_set():
        raise Interrupted
    if not run.session.progress.step:
        raise UsageError(f"nothing was trained in {run.out} yet; give --minutes and --images more than 0")
    export(run.session, run.out)
    return run.out


@dataclass
class Tally:
    """Sums of losses since the last line of the log."""

    sums: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, found: dict[str, Tensor]) -> None:
        for name, value in found.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        return {name: float(value) / self.counts[name] for name, value in self.sums.items()}


class Run:
    """One call of `train`."""

    def __init__(self, recipe: Recipe, out: Path, log: Callable[[str], None]) -> None:
        self.recipe, self.out, self.work, self.log = recipe, out, out / WORK, log
        self.work.mkdir(parents=True, exist_ok=True)
        device = device_of(recipe.device)
        if device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        log(f"reading {recipe.faces} at {recipe.resolution} px")
        pixels = faces.read(recipe.faces, "train", recipe.resolution)
        self.held_out = faces.read(recipe.faces, "val", recipe.resolution)
        self.session = Session(recipe, pixels, device)
        taken_up = checkpoint.read(self.session, self.work)
        self.tally, self.since = Tally(), self.session.progress.step
        event = "resumed" if taken_up else "started"
        self.note(event, train=len(pixels), val=len(self.held_out), device=str(device), recipe=recipe.record())
        log(f"{'going on after' if taken_up else 'starting at'} step {self.session.progress.step}")
        if self.session.identity is None:
            log("no identity network: training without the identity loss")

    def go(self, stop: threading.Event) -> None:
        """Step until time is up, enough faces were seen, or `stop` is set; then write a checkpoint."""
        session, recipe = self.session, self.recipe
        started = said = saved = time.monotonic()
        before, measured = session.progress.seconds, -math.inf  # first of all it is measured
        while True:
            now = time.monotonic()
            session.progress.seconds = before + now - started
            done = stop.is_set() or now - started >= recipe.minutes * 60 or session.progress.seen >= recipe.images
            if done or now - saved >= recipe.checkpoint_minutes * 60:
                self.save()
                saved = now
            if not stop.is_set() and (done or session.progress.seconds - measured >= recipe.sheet_minutes * 60):
                self.look()
                measured = session.progress.seconds
            if done:
                return
            self.tally.add(session.step())
            if time.monotonic() - said >= LOG_SECONDS:
                said = time.monotonic()
                self.log(self._line(recipe.minutes - (said - started) / 60))

    def save(self) -> None:
        """A checkpoint and a line of the log, if a step was taken since the last."""
        session = self.session
        if session.progress.step == self.since:
            return
        means = self.tally.means()
        check_finite(means, session.progress.step)
        checkpoint.write(session, self.work)
        self.note("saved", probability=session.probability.value, sign=session.probability.mean, **means)
        self.tally, self.since = Tally(), session.progress.step

    def look(self) -> None:
        """Measure, and draw a sheet."""
        session = self.session
        found = measure(session, self.held_out)
        self.note("measured", **found)
        sheet(session, self.held_out, self.work / "sheets" / f"step-{session.progress.step:09d}.png")
        self.log(", ".join(f"held out: {name} {value:.3f}" for name, value in found.items()))

    def note(self, event: str, **values: Any) -> None:
        """Append a line to log.jsonl."""
        at = self.session.progress
        entry = {"event": event, "step": at.step, "images": at.seen, "minutes": round(at.seconds / 60, 3)}
        append_text(self.work / "log.jsonl", json.dumps(entry | values) + "\n")

    def _line(self, minutes_left: float) -> str:
        at = self.session.progress
        values = ", ".join(f"{name} {value:.3f}" for name, value in self.tally.means().items())
        return (
            f"step {at.step}, {at.seen} faces, {at.seen / max(at.seconds, 1e-9):.1f}/s, {max(minutes_left, 0):.0f} "
            f"minutes left; {values}; augmentation {self.session.probability.value:.3f}"
        )


@contextmanager
def interruption() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; the second SIGINT interrupts as ever."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop  # only the main thread may handle signals
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.getsignal(kind) for kind in kinds}

    def handle(number: int, frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise Interrupted
        stop.set()

    for kind in kinds:
        signal.signal(kind, handle)
    try:
        yield stop
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def device_of(name: str) -> torch.device:
    """The device by name; "auto" is CUDA where there is one. Raises `UsageError`."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device={name!r}: use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device={name!r}: there is no CUDA device here; use cpu")
    return device
