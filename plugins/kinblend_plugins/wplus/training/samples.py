"""Codes and their pictures, drawn from a generator: what an encoder learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor

from kinblend import Backbone, Projector
from kinblend.checkpoints import read_tensor
from kinblend.errors import LatentShapeError, UnsupportedError
from kinblend.evaluation.processes import SharedBackbone, share_work
from kinblend.files import replacing
from kinblend.interfaces import SamplesLatents
from kinblend.inversion import resized
from kinblend.training.ranks import Ranks

SHARD = 512  # pictures in a file
TOGETHER = 4  # pictures that are drawn at once
TRUNCATION = (0.5, 1.0)
MIXED = 0.12  # share of samples whose finer layers are another's
YOUNG, OLD = 0.2, 0.15  # shares that are moved along the direction of age
MOVED = (1.5, 4.5)  # by how much, in the direction's unit


def draw_codes(projector: Projector, count: int, seed: int, age: Tensor | None = None) -> Tensor:
    """float32 [count, L, D]: truncated by 0.5 to 1, some mixed of two, some made younger or older along `age` [L,
    D]."""
    source = torch.Generator().manual_seed(seed)
    layers, dim = projector.space.layers, projector.space.dim
    if not isinstance(projector, SamplesLatents):
        raise UnsupportedError(f"{projector.title} has no mapping network to draw samples from")
    plain = projector.map(torch.randn(2 * count, dim, generator=source))
    psi = TRUNCATION[0] + (TRUNCATION[1] - TRUNCATION[0]) * torch.rand(2 * count, 1, 1, generator=source)
    average = projector.average()
    ours, theirs = (average + psi * (plain - average)).chunk(2)
    if age is not None:
        ours = ours + _ages(count, source)[:, None, None] * age
    mixed = torch.rand(count, generator=source) < MIXED
    start = torch.randint(layers // 4, layers, (count,), generator=source)
    taken = mixed[:, None] & (torch.arange(layers) >= start[:, None])
    return torch.where(taken[:, :, None], theirs, ours).contiguous()


def _ages(count: int, source: torch.Generator) -> Tensor:
    """How far each is moved along the direction of age."""
    share, size = torch.rand(2, count, generator=source)
    size = MOVED[0] + (MOVED[1] - MOVED[0]) * size
    return torch.where(share < YOUNG, -size, torch.where(share < YOUNG + OLD, size, 0.0))


def read_age(path: Path, projector: Projector) -> Tensor:
    """A direction of age as [L, D], from [D], [1, D] or [L, D]. Raises `InputError` and `LatentShapeError`."""
    direction = read_tensor(path, "age", "the direction of age").float()
    direction = direction.reshape(-1, direction.shape[-1])
    layers, dim = projector.space.layers, projector.space.dim
    if direction.shape[1] != dim or len(direction) not in (1, layers):
        raise LatentShapeError(f"{path}: a direction of age has shape [{dim}] or [{layers}, {dim}]")
    return direction.expand(layers, dim)


@dataclass(frozen=True)
class DrawJob:
    """A file of samples to draw. count: of them. device: where. age: as `draw_codes` takes it, as an array."""

    shared: SharedBackbone
    file: Path
    count: int
    side: int
    seed: int
    age: NDArray[np.float32] | None
    device: str


def prepare(
    backbone: Backbone,
    folder: Path,
    count: int,
    side: int,
    seed: int,
    age: Tensor | None,
    log: Callable[[str], None],
    ranks: Ranks,
    workers: int | None = None,
) -> list[Path]:
    """Files of samples in `folder`, drawn where they are not there yet; each is there whole or not at all.

    Processes that share the training draw some of the files each. workers: processes that draw; None: what this
    machine has room for, or one for each device of another kind. The files are the same whatever their number. A file
    holds `codes` float32 [SHARD, L, D] and `pictures` uint8 [SHARD, 3, side, side].
    Raises `WorkerLostError` where they are killed again and again; the files that are there are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:05d}.safetensors" for number in range(-(-count // SHARD))]
    missing = [(number, file) for number, file in enumerate(files) if not file.is_file()]
    ranks.wait()  # so that all miss the same ones
    shared, moved = SharedBackbone(backbone), None if age is None else age.numpy()
    jobs = [
        DrawJob(shared, file, SHARD, side, seed * 100_003 + number, moved, str(ranks.device))
        for number, file in missing[ranks.rank :: ranks.size]
    ]

    def tell(done: int, of: int) -> None:
        there = len(files) - len(missing) + min(done * ranks.size, len(missing))
        log(f"drew {there * SHARD} of {len(files) * SHARD} pictures")

    share_work(_crew(workers, ranks), draw_file, jobs, tell)
    ranks.wait()
    return files


def _crew(workers: int | None, ranks: Ranks) -> int | None:
    """How many of them one of the processes that share the training has; None: what the machine has room for."""
    if workers is not None:
        return max(1, workers // ranks.size)
    return None if ranks.size == 1 and ranks.device.type == "cpu" else 1


def draw_file(job: DrawJob) -> None:
    """Draw one file of samples."""
    projector = job.shared.backbone.projector
    if projector.module is not None:
        projector.module.to(job.device)
    codes = draw_codes(projector, job.count, job.seed, None if job.age is None else torch.tensor(job.age))
    pictures = torch.cat(list(_drawn(projector, codes, job.side)))
    with replacing(job.file) as part:
        save_file({"codes": codes, "pictures": pictures}, part)


def _drawn(projector: Projector, codes: Tensor, side: int) -> Iterator[Tensor]:
    draw = projector.preview(side)
    with torch.inference_mode():
        for some in codes.split(TOGETHER):
            pictures = resized(draw(some), side)
            yield ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
