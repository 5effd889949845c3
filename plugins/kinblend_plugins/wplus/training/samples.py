"""Codes and their pictures, drawn from a generator: what an encoder learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from kinblend import Projector
from kinblend.checkpoints import read_tensor
from kinblend.errors import LatentShapeError, UnsupportedError
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


def prepare(
    projector: Projector,
    folder: Path,
    count: int,
    side: int,
    seed: int,
    age: Tensor | None,
    log: Callable[[str], None],
    ranks: Ranks,
) -> list[Path]:
    """Files of samples in `folder`, drawn where they are not there yet; each is there whole or not at all.

    Processes that share the training draw some of the files each. A file holds `codes` float32 [SHARD, L, D] and
    `pictures` uint8 [SHARD, 3, side, side].
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number:05d}.safetensors" for number in range(-(-count // SHARD))]
    missing = [(number, file) for number, file in enumerate(files) if not file.is_file()]
    ranks.wait()  # so that all miss the same ones
    for done, (number, file) in list(enumerate(missing))[ranks.rank :: ranks.size]:
        codes = draw_codes(projector, SHARD, seed * 100_003 + number, age)
        pictures = torch.cat(list(_drawn(projector, codes, side)))
        with replacing(file) as part:
            save_file({"codes": codes, "pictures": pictures}, part)
        log(f"drew {(len(files) - len(missing) + done + 1) * SHARD} of {len(files) * SHARD} pictures")
    ranks.wait()
    return files


def _drawn(projector: Projector, codes: Tensor, side: int) -> Iterator[Tensor]:
    draw = projector.preview(side)
    with torch.inference_mode():
        for some in codes.split(TOGETHER):
            pictures = resized(draw(some), side)
            yield ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
