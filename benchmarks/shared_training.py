"""What a step of training costs one process, and processes that share each batch.

    python benchmarks/shared_training.py [--devices 2] [--device auto] [--steps 10] [--batch 16] [--size 64]

A StyleGAN2 on noise in the place of faces, no identity network. Alone, shared, alone again, in this order, after one
step each that is not counted: seconds of a step by the clock, and CPU seconds of it, of all processes together. On a
machine with a core for each process the clock says what is gained, on one core the CPU seconds say what is lost.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from kinblend.training.devices import on_devices
from kinblend.training.ranks import Ranks
from kinblend_plugins.stylegan2.training.recipe import Recipe
from kinblend_plugins.stylegan2.training.session import Session


@dataclass(frozen=True)
class Work:
    """steps: that are counted. batch: faces in each. size: px."""

    steps: int
    batch: int
    size: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--devices", default="2")
    parser.add_argument("--device", default="auto")
    for name, default in (("--steps", 10), ("--batch", 16), ("--size", 64)):
        parser.add_argument(name, type=int, default=default)
    words = parser.parse_args()
    work = Work(words.steps, words.batch, words.size)
    for devices in ("1", words.devices, "1"):
        with TemporaryDirectory() as folder:
            out = Path(folder)
            on_devices(take_steps, work, out, devices=devices, device=words.device, rows=work.batch)
            found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
        seconds, used = found[0]["seconds"], sum(each["cpu_seconds"] for each in found)
        print(f"{len(found)} processes: {seconds:.3f} s a step, {used:.3f} CPU seconds")


def take_steps(work: Work, out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> Path:
    """The steps of one process, and what they took in a file."""
    recipe = Recipe(Path("noise"), resolution=work.size, batch=work.batch, identity="off", precision="fp32")
    drawn = torch.Generator().manual_seed(0)
    faces = torch.randint(0, 256, (64, 3, work.size, work.size), generator=drawn, dtype=torch.uint8)
    session = Session(recipe, faces, ranks)
    session.step()
    ranks.wait()
    started, used = time.monotonic(), time.process_time()
    for _ in range(work.steps):
        losses = session.step()
    float(losses["pixel"])  # until a GPU is done, too
    found = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - used}
    each = {name: value / work.steps for name, value in found.items()}
    (out / f"{ranks.rank}.json").write_text(json.dumps(each))
    return out


if __name__ == "__main__":
    main()
