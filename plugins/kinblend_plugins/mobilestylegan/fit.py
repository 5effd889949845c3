"""Fits the heads for smaller pictures to the generator's own pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
import typer
from safetensors.torch import save_file
from torch import Tensor

from kinblend.errors import PackError
from kinblend.files import replacing
from kinblend.tensor_files import SafetensorError, load_file
from kinblend_plugins.mobilestylegan import tiled
from kinblend_plugins.mobilestylegan.generator import Generator, build
from kinblend_plugins.mobilestylegan.heads import Head, narrowed

HEADS = {64: 4, 128: 4, 256: 5, 512: 7}  # px → levels before the head; the last one is exact as it is
LARGEST = 256  # px of the pictures that are kept
SIDE = 40  # px of the crops that are trained on, in the map before the head
BATCH, RATE = 8, 0.005  # the rate is in units of each tensor's root mean square
HELD_OUT = 0.1  # of the pictures
MIXED = 0.2  # of the pictures: their finer layers are another person's
TRUNCATION = (0.5, 1.0)


class Crop(NamedTuple):
    """What a head learns from. x: [C, S, S], the map from row `top` and column `left`. picture: [3, 256, 256]."""

    code: Tensor
    x: Tensor
    top: int
    left: int
    picture: Tensor


def fit_heads(
    generator: Annotated[Path, typer.Argument(help="A pack's generator.safetensors.")],
    out: Annotated[Path, typer.Argument(help="File for the heads.")],
    pictures: Annotated[int, typer.Option(min=20, help="That are drawn and learned from.")] = 240,
    steps: Annotated[int, typer.Option(min=1, help="Of training, for each head.")] = 400,
    seed: Annotated[int, typer.Option(help="Of the pictures.")] = 0,
) -> Path:
    """Fit the heads with which a MobileStyleGAN makes pictures of 64 to 512 px at their own cost. Returns the file.

    Raises `PackError` where the generator can't be read.
    """
    try:
        tensors = load_file(generator)
    except (OSError, SafetensorError) as error:
        raise PackError(f"{generator} can't be read: {error}") from error
    whole = {name: tensor for name, tensor in tensors.items() if not name.startswith("heads.")}
    heads = fit(build(whole), pictures, steps, seed, lambda line: typer.echo(line, err=True))
    with replacing(out) as part:
        save_file({name: tensor.half() for name, tensor in heads.items()}, part)
    return out


def fit(generator: Generator, pictures: int, steps: int, seed: int, log: Callable[[str], None]) -> dict[str, Tensor]:
    """The tensors of all heads that the generator has levels for, by their names in it."""
    found: dict[str, Tensor] = {}
    codes = sample_codes(generator, pictures, seed)
    small = _small_pictures(generator, codes, log)
    crops: dict[int, list[Crop]] = {}
    for size, start in HEADS.items():
        head = narrowed(generator, start, size)
        if head.levels:
            if start not in crops:
                crops[start] = _crops(generator, codes, small, start, seed)
            _tune(generator, head, size, crops[start], steps, log)
        found |= {f"heads.{size}.{name}": tensor for name, tensor in head.state_dict().items()}
    return found


def sample_codes(generator: Generator, count: int, seed: int) -> Tensor:
    """[n, L, D]: truncated by different amounts, some of two people."""
    draw = torch.Generator().manual_seed(seed)
    z = torch.randn(2 * count, generator.dim, generator=draw)
    low, high = TRUNCATION
    psi = low + (high - low) * torch.rand(2 * count, 1, generator=draw)
    with torch.no_grad():
        w = generator.w_avg + psi * (generator.mapping(z) - generator.w_avg)
    layers = torch.arange(generator.layers)
    change = torch.randint(1, generator.layers, (count,), generator=draw)
    change[torch.rand(count, generator=draw) >= MIXED] = generator.layers
    return torch.where((layers < change[:, None])[:, :, None], w[:count, None], w[count:, None])


@torch.no_grad()
def _small_pictures(generator: Generator, codes: Tensor, log: Callable[[str], None]) -> list[Tensor]:
    found = []
    for number, code in enumerate(codes):
        if number % 20 == 0:
            log(f"picture {number} of {len(codes)}")
        found.append(F.adaptive_avg_pool2d(generator(code[None]), LARGEST)[0])
    return found


@torch.no_grad()
def _crops(generator: Generator, codes: Tensor, pictures: Sequence[Tensor], start: int, seed: int) -> list[Crop]:
    draw, found = torch.Generator().manual_seed(seed), []
    for code, picture in zip(codes, pictures, strict=True):
        x = tiled.feature_map(generator, code, start)
        top, left = (int(torch.randint(x.shape[1] - SIDE + 1, (), generator=draw)) for _ in range(2))
        crop = x[:, top : top + SIDE, left : left + SIDE].half()  # a copy: the whole map is let go
        found.append(Crop(code, crop, top, left, picture))
    return found


def _tune(
    generator: Generator, head: Head, size: int, crops: Sequence[Crop], steps: int, log: Callable[[str], None]
) -> None:
    """Train the head: absolute and squared differences, and those of neighbouring pixels."""
    held = crops[: max(1, int(HELD_OUT * len(crops)))]
    learned, draw = crops[len(held) :], torch.Generator().manual_seed(size)
    rates = [(p.requires_grad_(True), RATE * float(p.detach().square().mean().sqrt())) for p in head.parameters()]
    optimizer = torch.optim.Adam([{"params": [p], "lr": rate} for p, rate in rates], betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    for step in range(steps + 1):
        if step % 50 == 0 or step == steps:
            log(f"{size} px, step {step} of {steps}: {_psnr(generator, head, size, held):.2f} dB")
        if step == steps:
            break
        chosen = [learned[int(i)] for i in torch.randint(len(learned), (BATCH,), generator=draw)]
        difference = _difference(generator, head, size, chosen)
        edges = difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()
        loss = difference.abs().mean() + 2 * difference.square().mean() + edges / 4
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    head.requires_grad_(False)


def _rate(step: int, steps: int) -> float:
    """Rises for twenty steps and falls like a cosine to the end."""
    return min(1.0, (step + 1) / 20) * (0.5 + 0.5 * math.cos(math.pi * step / steps))


def _difference(generator: Generator, head: Head, size: int, crops: Sequence[Crop]) -> Tensor:
    """Of the head's pictures from the true ones, [n, 3, S, S], where the crops' edges have no influence."""
    maps = torch.stack([crop.x for crop in crops]).float().contiguous(memory_format=torch.channels_last)
    made = head(generator, maps, torch.stack([crop.code for crop in crops]))
    true = torch.stack([_target(crop, size, made.shape[-1] // SIDE) for crop in crops])
    margin = 2 * len(head.levels) * made.shape[-1] // SIDE
    result: Tensor = (made - true)[:, :, margin:-margin, margin:-margin]
    return result


def _target(crop: Crop, size: int, scale: int) -> Tensor:
    """The crop of the picture, `size` px as a whole. scale: pixels for one of the map's."""
    picture = F.adaptive_avg_pool2d(crop.picture, size)
    return picture[:, crop.top * scale : (crop.top + SIDE) * scale, crop.left * scale : (crop.left + SIDE) * scale]


def _psnr(generator: Generator, head: Head, size: int, crops: Sequence[Crop]) -> float:
    """In dB, of pictures in [−1, 1]."""
    with torch.no_grad():
        squares = [_difference(generator, head, size, [crop]).square().mean() for crop in crops]
    return float((10 * torch.log10(4 / torch.stack(squares))).mean())
