"""An encoder for the generator of any pack: the trainer `wplus`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from kinblend import load_backbone
from kinblend.errors import UsageError
from kinblend.evaluation.face_dataset import read_faces
from kinblend.files import remove_leftovers, replacing
from kinblend.identity.dlib_resnet import read_network, weights_file
from kinblend.imaging import to_batch, to_pictures
from kinblend.imaging.figures import new_figure, save_figure
from kinblend.training.checkpoint import Checkpoints
from kinblend.training.devices import on_devices
from kinblend.training.log import TrainingLog, line_of
from kinblend.training.loop import Intervals, run_training
from kinblend.training.ranks import Ranks
from kinblend_plugins.wplus.files import read_parts, write_parts
from kinblend_plugins.wplus.network import SIDE
from kinblend_plugins.wplus.training.options import TrainOptions
from kinblend_plugins.wplus.training.samples import prepare, read_age
from kinblend_plugins.wplus.training.session import Session

WORK, LOG = "training", "log.jsonl"
TIMES = {"code_minutes", "picture_minutes"}
LOOSE = {*TIMES, "device", "devices", "workers", "precision", "picture_batch", "code_batch"}


def train(options: TrainOptions, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Train an encoder for the generator of `options.backbone`, and write it to the folder `out`, in files below 16
    MiB.

    Samples, log, curves, sheets and checkpoints lie in `out`/training. Called again with the same `out` it goes on
    from the last checkpoint, which is written each minute and when it is interrupted. progress: told how it goes.
    Returns `out`. Raises `InputError`, `UsageError` and `UnsupportedError`, where the generator can't draw samples.
    """
    rows = min(options.code_batch, options.picture_batch)
    return on_devices(_train, options, out, progress, devices=options.devices, device=options.device, rows=rows)


def _train(options: TrainOptions, out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> Path:
    run = Run(options, out / WORK, progress, ranks)
    run_training(run, Intervals(), ranks=ranks)
    if ranks.first:
        write_parts(out, "encoder", run.session.tensors())
        _draw_curves(run.log, out / WORK / "curves.png")
    return out


class Run:
    """One call of `train`: what `run_training` goes through. work: the folder of everything but the encoder."""

    def __init__(
        self, options: TrainOptions, work: Path, progress: Callable[[str], None] | None, ranks: Ranks
    ) -> None:
        (work / "sheets").mkdir(parents=True, exist_ok=True)
        if ranks.first:
            for folder in (work, work / "sheets", work / "samples"):
                remove_leftovers(folder)
        self.work, self.log = work, TrainingLog(work / LOG, progress, writes=ranks.first)
        self.session = _session(options, work, self.log.tell, ranks)
        self.checkpoints = Checkpoints(work, options.model_dump(mode="json", exclude=LOOSE))
        if self.session.load(self.checkpoints):
            self.log.tell(f"going on after step {self.steps}, {self.seconds / 60:.0f} minutes")

    @property
    def seconds(self) -> float:
        """How long it was trained, over all calls."""
        return self.session.seconds

    @seconds.setter
    def seconds(self, value: float) -> None:
        self.session.seconds = value

    @property
    def done(self) -> bool:
        """Whether its time is over."""
        return self.session.done

    @property
    def steps(self) -> int:
        """How many were taken, over all calls."""
        return self.session.step

    def step(self) -> dict[str, Tensor]:
        """Learn from one batch."""
        return self.session.learn()

    def save(self, losses: Mapping[str, float]) -> None:
        """A checkpoint and an entry of the log."""
        self.session.save(self.checkpoints)
        self._write(losses)

    def report(self, losses: Mapping[str, float]) -> None:
        """A line of progress."""
        left = self.session.minutes - self.seconds / 60
        self.log.tell(f"step {self.steps}, {max(left, 0):.0f} minutes left; {line_of(losses)}")

    def measure(self) -> None:
        """Measure on held-out samples, and draw a sheet of reconstructions."""
        found, sheet = self.session.measure()
        with replacing(self.work / "sheets" / f"step-{self.steps:07d}.png") as part:
            to_pictures(sheet[None])[0].save(part, "PNG")
        named = {f"held out: {name}": value for name, value in found.items()}
        self._write(named)
        self.log.tell(line_of(named))

    def _write(self, values: Mapping[str, float]) -> None:
        self.log.write({"step": self.steps, "minutes": round(self.seconds / 60, 2), **values})


def _session(options: TrainOptions, work: Path, tell: Callable[[str], None], ranks: Ranks) -> Session:
    backbone = load_backbone(options.backbone)
    projector = backbone.projector
    if projector.module is not None:
        projector.module.to(ranks.device)
    age = None if options.age is None else read_age(options.age, projector)
    samples = work / "samples"
    files = prepare(backbone, samples, options.samples, SIDE, options.seed, age, tell, ranks, options.workers)
    photos = None if options.photos is None else _photos(options.photos)
    session = Session(options, projector, read_network(weights_file()), files, photos, ranks)
    if options.start:
        session.start(read_parts(backbone.context, "encoder"))
    return session


def _photos(path: Path) -> Tensor:
    """Photographs as uint8 [n, 3, 256, 256]."""
    faces = read_faces(path)
    return torch.cat([((to_batch([face], SIDE) + 1) * 127.5).round().to(torch.uint8) for face in faces])


def _draw_curves(log: TrainingLog, picture: Path) -> None:
    """Losses by minutes, where matplotlib is there."""
    entries = log.read()
    try:
        figure = new_figure(9, 5)
    except UsageError as error:
        log.tell(str(error))
        return
    axes = figure.subplots()
    for name in sorted({name for entry in entries for name in entry} - {"step", "minutes"}):
        points = [(entry["minutes"], entry[name]) for entry in entries if name in entry]
        axes.plot(*zip(*points, strict=True), label=name)
    axes.set(xlabel="minutes", yscale="log")
    axes.legend(fontsize=8)
    save_figure(figure, picture)
