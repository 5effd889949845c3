"""A training from beginning to end, or from its last checkpoint on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinblend.errors import UsageError
from kinblend.training.checkpoint import Checkpoints
from kinblend.training.devices import on_devices
from kinblend.training.log import TrainingLog, line_of
from kinblend.training.loop import Intervals, run_training
from kinblend.training.ranks import Ranks
from kinblend_plugins.stylegan2.training import faces
from kinblend_plugins.stylegan2.training.export import export
from kinblend_plugins.stylegan2.training.metrics import measure, sheet
from kinblend_plugins.stylegan2.training.recipe import Recipe
from kinblend_plugins.stylegan2.training.session import Session

WORK = "training"  # the folder in the pack's for log, sheets and checkpoints
REPORT_SECONDS = 10.0  # between two lines of progress


def train(options: Any, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Train as the options say and write the pack to `out`, and log, sheets and checkpoints to `out`/training.

    options: of `options.TrainOptions`, or a `Recipe`. Called again with the same `out` it goes on from the last
    checkpoint. progress: told how it goes. Interrupted by Ctrl-C or SIGTERM it finishes the step, writes a checkpoint
    and raises `Interrupted`. Returns `out`. Raises `OptionError`, `InputError`, `UsageError`.
    """
    recipe = options if isinstance(options, Recipe) else Recipe(**options.model_dump())
    return on_devices(
        _train, recipe, Path(out), progress, devices=recipe.devices, device=recipe.device, rows=recipe.batch
    )


def _train(recipe: Recipe, out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> Path:
    run = Run(recipe, out, progress, ranks)
    seconds = (60 * recipe.checkpoint_minutes, REPORT_SECONDS, 60 * recipe.sheet_minutes)
    run_training(run, Intervals(*seconds, first_measure=True), ranks=ranks)
    if not run.session.progress.step:
        raise UsageError(f"nothing was trained in {run.out} yet; give minutes and images more than 0")
    if ranks.first:
        export(run.session, run.out)
    return run.out


class Run:
    """One call of `train`: what `run_training` goes through."""

    def __init__(self, recipe: Recipe, out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> None:
        self.recipe, self.out, self.work = recipe, out, out / WORK
        self.work.mkdir(parents=True, exist_ok=True)
        self.log = TrainingLog(self.work / "log.jsonl", progress, writes=ranks.first)
        self.checkpoints = Checkpoints(self.work, recipe.architecture())
        device = ranks.device
        if device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        self.log.tell(f"reading {recipe.faces} at {recipe.resolution} px")
        pixels = faces.read(recipe.faces, "train", recipe.resolution)
        self.held_out = faces.read(recipe.faces, "val", recipe.resolution)
        self.session = Session(recipe, pixels, ranks)
        taken_up = self.session.load(self.checkpoints)
        self.before = self.seconds
        event = "resumed" if taken_up else "started"
        self.note(
            event,
            train=len(pixels),
            val=len(self.held_out),
            device=str(device),
            devices=ranks.size,
            recipe=recipe.record(),
        )
        self.log.tell(f"{'going on after' if taken_up else 'starting at'} step {self.session.progress.step}")
        if self.session.identity is None:
            self.log.tell("no identity network: training without the identity loss")

    @property
    def seconds(self) -> float:
        """How long it was trained, over all calls."""
        return self.session.progress.seconds

    @seconds.setter
    def seconds(self, value: float) -> None:
        self.session.progress.seconds = value

    @property
    def minutes_left(self) -> float:
        """Of this call."""
        return self.recipe.minutes - (self.seconds - self.before) / 60

    @property
    def done(self) -> bool:
        """Whether its time is up, or enough faces were seen."""
        return self.minutes_left <= 0 or self.session.progress.seen >= self.recipe.images

    @property
    def steps(self) -> int:
        """How many were taken, over all calls."""
        return self.session.progress.step

    def step(self) -> dict[str, Tensor]:
        """Learn from one batch."""
        return self.session.step()

    def save(self, losses: Mapping[str, float]) -> None:
        """A checkpoint and an entry of the log."""
        self.session.save(self.checkpoints)
        probability = self.session.probability
        self.note("saved", probability=probability.value, sign=probability.mean, **losses)

    def report(self, losses: Mapping[str, float]) -> None:
        """A line of progress."""
        at = self.session.progress
        self.log.tell(
            f"step {at.step}, {at.seen} faces, {at.seen / max(at.seconds, 1e-9):.1f}/s, "
            f"{max(self.minutes_left, 0):.0f} minutes left; {line_of(losses)}; "
            f"augmentation {self.session.probability.value:.3f}"
        )

    def measure(self) -> None:
        """Measure, and draw a sheet."""
        session = self.session
        found = measure(session, self.held_out)
        self.note("measured", **found)
        sheet(session, self.held_out, self.work / "sheets" / f"step-{session.progress.step:09d}.png")
        self.log.tell(line_of({f"held out: {name}": value for name, value in found.items()}))

    def note(self, event: str, **values: Any) -> None:
        """Append a line to log.jsonl."""
        at = self.session.progress
        entry = {"event": event, "step": at.step, "images": at.seen, "minutes": round(at.seconds / 60, 3)}
        self.log.write(entry | values)
