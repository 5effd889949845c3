"""Trains the weight network on families: the trainer `learned`.

The loss, the optimiser and the regularisers are those of the student report that kinblend began as; the picture in
between is real (`bridge.Render`) where the report had a random matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file

from kinblend import load_backbone
from kinblend.datasets import Trios
from kinblend.errors import UsageError
from kinblend.files import atomic_write, replacing
from kinblend.training.checkpoint import Checkpoints
from kinblend.training.devices import on_devices
from kinblend.training.log import TrainingLog, line_of
from kinblend.training.loop import Intervals, run_training
from kinblend.training.ranks import Ranks
from kinblend_plugins.blenders.bridge import Projection, Render
from kinblend_plugins.blenders.int8_state import pack
from kinblend_plugins.blenders.proxy import Bridge, distill, load_proxy, save_proxy
from kinblend_plugins.blenders.training.ablation import ablate
from kinblend_plugins.blenders.training.child import directions
from kinblend_plugins.blenders.training.curves import draw_curves
from kinblend_plugins.blenders.training.data import People, read_trios
from kinblend_plugins.blenders.training.drawn import draw_people
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.session import Session
from kinblend_plugins.blenders.training.synthetic import pretrain

Log = Callable[[str], None]
LOOSE = {"epochs", "patience", "device", "devices"}  # options that may change when a training goes on


def train(options: TrainOptions, out: Path, progress: Log | None = None) -> Path:
    """Train and write the weights to `out`, beside it a log (`.jsonl`), curves (`.png`) and, until it is done, a
    folder of checkpoints. With `ablate` a table of a grid of trainings is written instead, to `OUT.ablation.csv`.

    Called again after an interruption with the same `out` it goes on from the checkpoint. progress: told each epoch.
    Returns the file it wrote.
    """
    return on_devices(
        _train, options, out, progress, devices=options.devices, device=options.device, rows=options.batch
    )


def _train(options: TrainOptions, out: Path, progress: Log | None, ranks: Ranks) -> Path:
    log = progress or (lambda _: None)
    out.parent.mkdir(parents=True, exist_ok=True)
    trios, mirrored = read_trios(options)
    bridge, known = make_bridge(options, trios, out, log, ranks)
    steps = directions(options.backbone or None, options.edits)
    if options.ablate:
        return ablate(options, trios, bridge, mirrored, steps, out.with_suffix(".ablation.csv"), log, ranks)
    drawn = _drawn(options, trios, log, ranks)
    run = Run(Session(options, trios, bridge, mirrored, steps, drawn, ranks), out, log)
    if run.session.load(run.checkpoints):
        log(f"going on after epoch {run.session.epoch}")
    else:
        run.begin({"trios": run.session.families.counts(), **known})
    run_training(run, Intervals(save=0, report=math.inf, measure=math.inf), finish_step=False, ranks=ranks)
    if ranks.first:
        with replacing(out) as part:
            save_file(pack(run.session.best), part)
        run.checkpoints.remove()
        _draw(run.log, out.with_suffix(".png"))
    return out


class Run:
    """One call of `train`: what `run_training` goes through. A step is an epoch."""

    def __init__(self, session: Session, out: Path, progress: Log) -> None:
        self.session, self.log = session, TrainingLog(out.with_suffix(".jsonl"), progress, writes=session.ranks.first)
        fixed = session.options.model_dump(mode="json", exclude=LOOSE)
        self.checkpoints = Checkpoints(out.with_suffix(".checkpoints"), fixed)
        self.record: dict[str, float] = {}
        self.seconds = 0.0

    @property
    def done(self) -> bool:
        """Whether there is nothing left to learn."""
        return self.session.done

    @property
    def steps(self) -> int:
        """How many epochs are over, over all calls."""
        return self.session.epoch

    def begin(self, known: Mapping[str, Any]) -> None:
        """Start the log with what training is compared with, and train on synthetic families where asked to."""
        baselines = self.session.baselines()
        first = {"baselines": baselines, **known}
        if self.session.ranks.first:
            atomic_write(self.log.path, b"")
        self.log.write(first)
        for name, figures in {**known, **baselines}.items():
            self.log.tell(f"{name}: {line_of(figures) if isinstance(figures, Mapping) else figures}")
        if fitted := self.session.fit(self.log.tell):
            self._note({"fitted": 1, **fitted})
        for record in pretrain(self.session):
            self._note(record)

    def step(self) -> dict[str, float]:
        """An epoch, and the validation after it."""
        self.record = self.session.run_epoch()
        return {"train": self.record["train_loss"]}

    def save(self, losses: Mapping[str, float]) -> None:
        """A checkpoint, and the epoch's figures as an entry of the log."""
        self.session.save(self.checkpoints)
        self._note(self.record)

    def report(self, losses: Mapping[str, float]) -> None:
        """Each epoch is reported when it is saved."""

    def measure(self) -> None:
        """Each epoch is measured when it is over."""

    def _note(self, record: Mapping[str, float]) -> None:
        self.log.write(record)
        self.log.tell(line_of(record))


def _drawn(options: TrainOptions, trios: Trios, log: Log, ranks: Ranks) -> People | None:
    """People from the generator, the same ones for the same seed, each time anew: pictures need no gradient here."""
    if not options.drawn:
        return None
    projector = load_backbone(options.backbone or None).projector
    return draw_people(projector, _render(options, trios.identity, ranks), options.drawn, options.seed, log)


def _render(options: TrainOptions, identity: str, ranks: Ranks) -> Render:
    precision: Literal["fp32", "bf16"] = "bf16" if options.mixed else "fp32"
    backbone = load_backbone(options.backbone or None)
    return Render(backbone, identity, precision, options.checkpointing, options.picture_size, ranks.device)


def make_bridge(
    options: TrainOptions, trios: Trios, out: Path, log: Log, ranks: Ranks
) -> tuple[Bridge, dict[str, Any]]:
    """The bridge, and what is known of it for the log. A proxy is read from its file, or distilled into it by the
    first of the processes that share the training."""
    if options.bridge == "projection":
        return Projection(trios.space.layers * trios.space.dim), {}
    render = _render(options, trios.identity, ranks)
    if options.bridge == "render":
        return render, {}
    path, known = options.proxy or out.with_suffix(".proxy.safetensors"), dict[str, Any]()
    if ranks.first and not path.is_file():
        proxy, known["proxy"] = distill(render, trios, options.seed, options.proxy_samples, log)
        save_proxy(path, proxy)
    ranks.wait()
    return load_proxy(path), known


def _draw(log: TrainingLog, picture: Path) -> None:
    """The curves; without matplotlib there are none, and the weights are no worse."""
    first, *records = log.read()
    epochs = [record for record in records if "epoch" in record]
    try:
        if epochs:
            draw_curves(picture, epochs, first["baselines"])
    except UsageError as error:
        log.tell(str(error))
