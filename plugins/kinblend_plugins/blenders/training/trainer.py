"""Trains the weight network on families: the trainer `learned`.

The loss, the optimiser and the regularisers are those of the student report that kinblend began as; the picture in
between is real (`bridge.Render`) where the report had a random matrix.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file

from kinblend import load_backbone
from kinblend.datasets import Trios
from kinblend.errors import UsageError
from kinblend.files import append_text, atomic_write, replacing
from kinblend_plugins.blenders.bridge import Projection, Render
from kinblend_plugins.blenders.int8_state import pack
from kinblend_plugins.blenders.proxy import Bridge, distill, load_proxy, save_proxy
from kinblend_plugins.blenders.training.ablation import ablate
from kinblend_plugins.blenders.training.child import directions
from kinblend_plugins.blenders.training.curves import draw_curves
from kinblend_plugins.blenders.training.data import read_trios
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.session import Session
from kinblend_plugins.blenders.training.synthetic import pretrain

Log = Callable[[str], None]


def train(options: TrainOptions, out: Path, progress: Log | None = None) -> Path:
    """Train and write the weights to `out`, beside it a log (`.jsonl`), curves (`.png`) and, until it is done, a
    checkpoint. With `ablate` a table of a grid of trainings is written instead, to `OUT.ablation.csv`.

    Called again after an interruption with the same `out` it goes on from the checkpoint. progress: told each epoch.
    Returns the file it wrote.
    """
    log = progress or (lambda _: None)
    out.parent.mkdir(parents=True, exist_ok=True)
    trios, mirrored = read_trios(options)
    bridge, known = make_bridge(options, trios, out, log)
    steps = directions(options.backbone, options.edits)
    if options.ablate:
        return ablate(options, trios, bridge, mirrored, steps, out.with_suffix(".ablation.csv"), log)
    session, file = Session(options, trios, bridge, mirrored, steps), out.with_suffix(".jsonl")
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    if checkpoint.is_file():
        session.load(checkpoint)
        log(f"going on after epoch {session.epoch}")
    else:
        first = {"baselines": session.baselines(), "trios": session.families.counts(), **known}
        atomic_write(file, (json.dumps(first) + "\n").encode())
        log(file.read_text().strip())
        for record in pretrain(session, bridge):
            _note(file, record, log)
    while not session.done:
        record = session.run_epoch()
        session.save(checkpoint)
        _note(file, record, log)
    with replacing(out) as part:
        save_file(pack(session.best), part)
    checkpoint.unlink(missing_ok=True)
    _draw(file, out.with_suffix(".png"), log)
    return out


def make_bridge(options: TrainOptions, trios: Trios, out: Path, log: Log) -> tuple[Bridge, dict[str, Any]]:
    """The bridge, and what is known of it for the log. A proxy is read from its file, or distilled into it."""
    if options.bridge == "projection":
        return Projection(trios.space.layers * trios.space.dim), {}
    precision: Literal["fp32", "bf16"] = "bf16" if options.mixed else "fp32"
    render = Render(load_backbone(options.backbone), trios.identity, precision, options.checkpointing)
    if options.bridge == "render":
        return render, {}
    path = options.proxy or out.with_suffix(".proxy.safetensors")
    if not path.is_file():
        proxy, near = distill(render, trios, options.seed, options.proxy_samples, log)
        save_proxy(path, proxy)
        return proxy, {"proxy": near}
    return load_proxy(path), {}


def _note(file: Path, record: dict[str, float], log: Log) -> None:
    append_text(file, json.dumps(record) + "\n")
    log(_line(record))


def _line(record: dict[str, float]) -> str:
    return ", ".join(f"{key} {value:.4g}" for key, value in record.items())


def _draw(file: Path, picture: Path, log: Log) -> None:
    """The curves; without matplotlib there are none, and the weights are no worse."""
    first, *records = [json.loads(line) for line in file.read_text().splitlines()]
    epochs = [record for record in records if "epoch" in record]
    try:
        if epochs:
            draw_curves(picture, epochs, first["baselines"])
    except UsageError as error:
        log(str(error))
