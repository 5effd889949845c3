"""The generator in the two forms that the public implementations have where they find no CUDA: what we compare with.

Both convolve with weights of their own for each sample, in groups, and filter a transposed convolution's output by
itself. `separate` puts the channels into the batch before it filters and inserts zeros before it enlarges a picture,
as rosinality/stylegan2-pytorch; `grouped` filters channel by channel in groups, as NVlabs/stylegan2-ada-pytorch.
Written from the formulas of Karras et al. (2020); `python benchmarks/naive.py` says how far the pictures are from ours
and how long each takes.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend_plugins.stylegan2.generator import Generator
from kinblend_plugins.stylegan2.layers import StyledConv, ToRGB, binomial_kernel

Form = Literal["separate", "grouped"]


def synthesize(generator: Generator, codes: Tensor, form: Form = "separate") -> Tensor:
    """Pictures [n, 3, R, R] of codes [n, L, D], stored noise."""
    x = generator.const.repeat(len(codes), 1, 1, 1)
    x = _styled(generator.convs[0], x, codes[:, 0], form)
    picture = _rgb(generator.colours[0], x, codes[:, 1])
    for step in range(1, len(generator.colours)):
        x = _styled(generator.convs[2 * step - 1], x, codes[:, 2 * step - 1], form)
        x = _styled(generator.convs[2 * step], x, codes[:, 2 * step], form)
        colours = _rgb(generator.colours[step], x, codes[:, 2 * step + 1])
        picture = colours + _filtered(_with_zeros(picture), (2, 1), form)
    return picture


def _styled(conv: StyledConv, x: Tensor, w: Tensor, form: Form) -> Tensor:
    weight = conv.scale * conv.weight[None] * conv.affine(w)[:, None, :, None, None]
    weight = weight * torch.rsqrt(weight.square().sum([2, 3, 4]) + 1e-8)[:, :, None, None, None]
    x = _per_sample(x, weight, conv.doubling)
    if conv.doubling:
        x = _filtered(x, (1, 1), form)
    x = x + conv.noise_strength * conv.noise
    return F.leaky_relu(x + conv.bias[None, :, None, None], 0.2) * math.sqrt(2)


def _rgb(colour: ToRGB, x: Tensor, w: Tensor) -> Tensor:
    weight = colour.scale * colour.weight[None] * colour.affine(w)[:, None, :, None, None]
    return _per_sample(x, weight, False) + colour.bias[None, :, None, None]


def _per_sample(x: Tensor, weight: Tensor, doubling: bool) -> Tensor:
    count, outputs, inputs, size, _ = weight.shape
    x = x.reshape(1, count * inputs, *x.shape[2:])
    if doubling:
        weight = weight.transpose(1, 2).reshape(count * inputs, outputs, size, size)
        x = F.conv_transpose2d(x, weight, stride=2, groups=count)
    else:
        x = F.conv2d(x, weight.reshape(count * outputs, inputs, size, size), padding=size // 2, groups=count)
    return x.reshape(count, outputs, *x.shape[2:])


def _with_zeros(x: Tensor) -> Tensor:
    count, channels, height, width = x.shape
    x = F.pad(x.reshape(count, channels, height, 1, width, 1), (0, 1, 0, 0, 0, 1))
    return x.reshape(count, channels, 2 * height, 2 * width)


def _filtered(x: Tensor, padding: tuple[int, int], form: Form) -> Tensor:
    count, channels = x.shape[:2]
    x = F.pad(x, (*padding, *padding))
    kernel = binomial_kernel(x)[None, None]
    if form == "grouped":
        return F.conv2d(x, kernel.repeat(channels, 1, 1, 1), groups=channels)
    x = F.conv2d(x.reshape(count * channels, 1, *x.shape[2:]), kernel)
    return x.reshape(count, channels, *x.shape[2:])


def generator_of(resolution: int) -> Generator:
    """A generator of the published size with made-up weights."""
    torch.manual_seed(0)
    widths = [min(512, 32768 // (4 << level)) for level in range(resolution.bit_length() - 2)]
    generator = Generator(widths, depth=8)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
    return generator.eval().requires_grad_(False)


def seconds(candidates: Sequence[Callable[[], object]], rounds: int) -> list[float]:
    """The median wall time of each, called in turn, after one call that does not count."""
    times: list[list[float]] = [[] for _ in candidates]
    for count in range(rounds + 1):
        for candidate, taken in zip(candidates, times, strict=True):
            started = time.perf_counter()
            candidate()
            if count:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    words = parser.parse_args()
    generator = generator_of(words.resolution)
    codes, noises = torch.randn(1, generator.layers, 512), [conv.noise for conv in generator.convs]
    separate, grouped = synthesize(generator, codes), synthesize(generator, codes, "grouped")
    for module in generator.modules():
        if hasattr(module, "settle"):
            module.settle()
    ours = generator(codes, noises)
    low = generator_of(words.resolution)
    print(f"{words.resolution} px, {torch.get_num_threads()} threads")
    print(
        "largest difference",
        float((ours - separate).abs().max()),
        float((ours - grouped).abs().max()),
        float(ours.abs().max()),
    )
    plain = generator_of(words.resolution)
    times = seconds(
        [
            lambda: synthesize(plain, codes, "separate"),
            lambda: synthesize(plain, codes, "grouped"),
            lambda: generator(codes, noises),
        ],
        words.rounds,
    )
    print(times, [t / times[-1] for t in times])


if __name__ == "__main__":
    main()
