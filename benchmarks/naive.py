"""The networks in the forms that the public implementations have where they find no CUDA: what we compare with.

Both forms of the generator convolve with weights of their own for each sample, in groups, and filter a transposed
convolution's output by itself. "separate" puts the channels into the batch before it filters and inserts zeros before
it enlarges a picture, as rosinality/stylegan2-pytorch does; "grouped" filters channel by channel in groups, as
NVlabs/stylegan2-ada-pytorch does. The encoder runs one face at a time, its normalisations apart, channels first.
Written from the formulas of Karras et al. (2020) and Tov et al. (2021).

    python benchmarks/packs.py 1024 made-up-1024
    kinblend bench --backbone ./made-up-1024 --against benchmarks/naive.py
    python benchmarks/naive.py made-up-1024 [--rounds 7] [--threads 2]

The last one times both forms and ours, in fp32 and bf16, in turn, and says how far the pictures are apart.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from kinblend import Backbone, DevicePool, load_backbone
from kinblend.bench.timing import measure
from kinblend.packs import Pack, open_pack
from kinblend_plugins.e4e.network import Encoder4Editing
from kinblend_plugins.stylegan2.generator import Generator
from kinblend_plugins.stylegan2.layers import StyledConv, ToRGB, binomial_kernel
from kinblend_plugins.stylegan2.names import translate

Form = Literal["separate", "grouped"]


def synthesize(pack: Pack, form: Form = "separate") -> Callable[[Tensor], Tensor]:
    """What `kinblend bench --against` asks for: codes [n, L, D] → pictures [n, 3, R, R], stored noise."""
    return torch.inference_mode()(partial(_picture, generator_of(pack), form=form))


def encode(pack: Pack) -> Callable[[Tensor], Tensor]:
    """What `kinblend bench --against` may use: faces [n, 3, 256, 256] → codes [n, L, 512]."""
    tensors = load_file(pack.files["encoder.safetensors"])
    average, network = tensors.pop("latent_avg"), Encoder4Editing(pack.space.layers)
    network.load_state_dict(tensors)
    network.eval().requires_grad_(False)
    return torch.inference_mode()(lambda faces: network(faces) + average)


def generator_of(pack: Pack) -> Generator:
    """The pack's generator, its weights laid out as they were published."""
    tensors = translate(load_file(pack.files["generator.safetensors"]))
    steps, depth = (len({name.split(".")[1] for name in tensors if name.startswith(part)}) for part in _COUNTED)
    generator = Generator([len(tensors[f"convs.{2 * step}.bias"]) for step in range(steps)], depth)
    generator.load_state_dict({"w_avg": generator.w_avg, **tensors})
    return generator.eval().requires_grad_(False)


_COUNTED = ("colours.", "mapping_layers.")


def _picture(generator: Generator, codes: Tensor, form: Form = "separate") -> Tensor:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    pack = open_pack(words.pack)
    codes = torch.randn(1, pack.space.layers, 512, generator=torch.Generator().manual_seed(0))
    works = {f"reference, {form}": partial(synthesize(pack, form), codes) for form in ("separate", "grouped")}
    pools = {name: DevicePool("cpu", precision=name) for name in ("fp32", "bf16")}
    works |= {name: partial(_ours, load_backbone(words.pack, pool), codes) for name, pool in pools.items()}
    taken = measure(list(works.values()), words.rounds, pools["fp32"].memory)
    seconds = {name: each.seconds for name, each in zip(works, taken, strict=True)}
    cpu = {name: each.cpu_seconds for name, each in zip(works, taken, strict=True)}
    first = works["reference, separate"]()
    report = {
        "resolution": pack.resolution,
        "threads": words.threads,
        "load": os.getloadavg()[0],
        "seconds": seconds,
        "ratios": {name: {ours: seconds[name] / seconds[ours] for ours in pools} for name in list(works)[:2]},
        "cpu seconds": cpu,
        "ratios of cpu seconds": {name: {ours: cpu[name] / cpu[ours] for ours in pools} for name in list(works)[:2]},
        "largest difference": {name: float((work() - first).abs().max()) for name, work in works.items()},
        "decibels, of four deviations": {name: _decibels(works[name](), first) for name in pools},
    }
    print(json.dumps(report, indent=1))


@torch.inference_mode()
def _ours(backbone: Backbone, codes: Tensor) -> Tensor:
    with backbone.pool.lease(backbone.projector.module, "projector"):
        return backbone.projector.synthesize(codes)


def _decibels(picture: Tensor, reference: Tensor) -> float:
    return 20 * math.log10(4 * float(reference.std() / (picture - reference).square().mean().sqrt()))


if __name__ == "__main__":
    main()
