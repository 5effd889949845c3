"""An encoder for the generator of any pack: the trainer `wplus`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinblend import load_backbone
from kinblend.errors import UsageError
from kinblend.evaluation.face_dataset import read_faces
from kinblend.files import append_text, remove_leftovers, replacing
from kinblend.identity.dlib_resnet import read_network, weights_file
from kinblend.imaging import to_batch, to_pictures
from kinblend.imaging.figures import new_figure, save_figure
from kinblend_plugins.wplus.files import read_parts, write_parts
from kinblend_plugins.wplus.network import SIDE
from kinblend_plugins.wplus.training.options import TrainOptions
from kinblend_plugins.wplus.training.samples import prepare, read_age
from kinblend_plugins.wplus.training.session import Session

SAVED, SAID, MEASURED = 60.0, 15.0, 300.0  # seconds between checkpoints, lines of progress, sheets
CHECKPOINT, LOG = "checkpoint.safetensors", "log.jsonl"

Log = Callable[[str], None]


def train(options: TrainOptions, out: Path, progress: Log | None = None) -> Path:
    """Train an encoder for the generator of `options.backbone`, and write it to the folder `out`, in files below 16
    MiB.

    Samples, log, curves, sheets and the checkpoint lie in `out`/training. Called again with the same `out` it goes on
    from the checkpoint, which is written each minute and when it is interrupted. progress: told how it goes.
    Returns `out`. Raises `InputError`, `UsageError` and `UnsupportedError`, where the generator can't draw samples.
    """
    log = progress or (lambda _: None)
    work = out / "training"
    (work / "sheets").mkdir(parents=True, exist_ok=True)
    for folder in (work, work / "sheets", work / "samples"):
        remove_leftovers(folder)
    session = _session(options, work, log)
    checkpoint = work / CHECKPOINT
    if checkpoint.is_file():
        session.load(checkpoint)
        log(f"going on after step {session.step}, {session.seconds / 60:.0f} minutes")
    try:
        _run(session, work, log)
    finally:
        if session.step:
            session.save(checkpoint)
    _measure(session, work, log)
    write_parts(out, "encoder", session.tensors())
    _curves(work, log)
    return out


def _session(options: TrainOptions, work: Path, log: Log) -> Session:
    device = _device(options.device)
    backbone = load_backbone(options.backbone)
    projector = backbone.projector
    if projector.module is not None:
        projector.module.to(device)
    age = None if options.age is None else read_age(options.age, projector)
    files = prepare(projector, work / "samples", options.samples, SIDE, options.seed, age, log)
    photos = None if options.photos is None else _photos(options.photos)
    session = Session(options, projector, read_network(weights_file()), files, photos, device)
    if options.start:
        session.start(read_parts(backbone.context, "encoder"))
    return session


def _run(session: Session, work: Path, log: Log) -> None:
    """Steps until the time is over; log, checkpoints and sheets on the way."""
    started, before = time.monotonic(), session.seconds
    saved = said = measured = started
    sums: dict[str, list[float]] = {}
    while not session.done:
        for name, value in session.learn().items():
            if not math.isfinite(value):
                raise UsageError(f"the {name} loss is {value} after step {session.step}: train with a lower rate")
            sums.setdefault(name, []).append(value)
        now = time.monotonic()
        session.seconds = before + now - started
        if now - said >= SAID:
            _note(work, session, {name: sum(values) / len(values) for name, values in sums.items()}, log)
            said, sums = now, {}
        if now - saved >= SAVED:
            session.save(work / CHECKPOINT)
            saved = now
        if now - measured >= MEASURED:
            _measure(session, work, log)
            measured = now


def _note(work: Path, session: Session, values: dict[str, float], log: Log) -> None:
    entry = {"step": session.step, "minutes": round(session.seconds / 60, 2), **values}
    append_text(work / LOG, json.dumps(entry) + "\n")
    left = session.minutes - session.seconds / 60
    figures = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    log(f"step {session.step}, {max(left, 0):.0f} minutes left; {figures}")


def _measure(session: Session, work: Path, log: Log) -> None:
    found, sheet = session.measure()
    with replacing(work / "sheets" / f"step-{session.step:07d}.png") as part:
        to_pictures(sheet[None])[0].save(part, "PNG")
    _note(work, session, {f"held out: {name}": value for name, value in found.items()}, log)


def _photos(path: Path) -> Tensor:
    """Photographs as uint8 [n, 3, 256, 256]."""
    faces = read_faces(path)
    return torch.cat([((to_batch([face], SIDE) + 1) * 127.5).round().to(torch.uint8) for face in faces])


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device={name!r}: use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device={name!r}: there is no CUDA device here; use cpu")
    return device


def _curves(work: Path, log: Log) -> None:
    """Losses by minutes, where matplotlib is there."""
    entries: list[dict[str, Any]] = [json.loads(line) for line in (work / LOG).read_text("utf-8").splitlines()]
    try:
        figure = new_figure(9, 5)
    except UsageError as error:
        log(str(error))
        return
    axes = figure.subplots()
    for name in sorted({name for entry in entries for name in entry} - {"step", "minutes"}):
        points = [(entry["minutes"], entry[name]) for entry in entries if name in entry]
        axes.plot(*zip(*points, strict=True), label=name)
    axes.set(xlabel="minutes", yscale="log")
    axes.legend(fontsize=8)
    save_figure(figure, work / "curves.png")
