"""The names of a StyleGAN2 generator's tensors, as its three publishers have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

MAX_STEPS = 9  # of the generator, 4 to 1024 px
SHOWN = 4  # names that an error lists

# What may stand beside a generator's weights: it is made from them, or drawn.
_OPTIONAL = re.compile(r"noises\.|noise_const$|resample_filter$|\.kernel$|latent_avg$|mapping\.w_avg$")

# rosinality/stylegan2-pytorch
_CONV = ("conv.weight", "conv.modulation.weight", "conv.modulation.bias", "noise.weight", "activate.bias")
_RGB = ("conv.weight", "conv.modulation.weight", "conv.modulation.bias", "bias")
# NVlabs/stylegan2-ada-pytorch
_LAYER = ("weight", "affine.weight", "affine.bias", "noise_strength", "bias")
_TORGB = ("weight", "affine.weight", "affine.bias", "bias")


def check_rosinality(tensors: Mapping[str, Tensor]) -> str:
    """What is wrong with the names of a generator of rosinality's: a sentence without its subject, "" for nothing."""
    steps = _numbers(tensors, r"to_rgbs\.(\d+)\.")
    depth = len(_numbers(tensors, r"style\.(\d+)\."))
    if not 0 < len(steps) < MAX_STEPS or steps != set(range(len(steps))):
        return "holds no StyleGAN2 generator of 8 to 1024 px: its to_rgbs.* are not 0, 1, …"
    expected = {"input.input", *(f"conv1.{part}" for part in _CONV), *(f"to_rgb1.{part}" for part in _RGB)}
    expected |= {f"convs.{index}.{part}" for index in range(2 * len(steps)) for part in _CONV}
    expected |= {f"to_rgbs.{index}.{part}" for index in steps for part in _RGB}
    expected |= {f"style.{index + 1}.{part}" for index in range(max(depth, 1)) for part in ("weight", "bias")}
    return _compare(tensors, expected)


def check_nvidia(tensors: Mapping[str, Tensor]) -> str:
    """As `check_rosinality`, of NVIDIA's names."""
    sizes = _numbers(tensors, r"synthesis\.b(\d+)\.")
    known = [2**step for step in range(2, MAX_STEPS + 2)]
    if not sizes or sizes != set(known[: len(sizes)]) or len(sizes) < 2:
        return "holds no StyleGAN2 generator of 8 to 1024 px: its synthesis.b* are not b4, b8, b16, …"
    depth = len(_numbers(tensors, r"mapping\.fc(\d+)\."))
    expected = {"synthesis.b4.const"} | {f"synthesis.b{size}.torgb.{part}" for size in sizes for part in _TORGB}
    convs = [(size, conv) for size in sizes for conv in ("conv0", "conv1") if (size, conv) != (4, "conv0")]
    expected |= {f"synthesis.b{size}.{conv}.{part}" for size, conv in convs for part in _LAYER}
    expected |= {f"mapping.fc{index}.{part}" for index in range(max(depth, 1)) for part in ("weight", "bias")}
    return _compare(tensors, expected)


def from_basicsr(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A generator named as XPixelGroup/BasicSR has it, under rosinality's names."""
    return {_from_basicsr(name): tensor for name, tensor in tensors.items()}


def _from_basicsr(name: str) -> str:
    if name == "constant_input.weight":
        return "input.input"
    name = re.sub(r"^style_mlp\.", "style.", name)
    name = re.sub(r"^style_conv(1|s\.\d+)\.weight$", r"conv\1.noise.weight", name)
    name = re.sub(r"^style_conv(1|s\.\d+)\.", r"conv\1.", name)
    name = re.sub(r"^noises\.noise(\d+)$", r"noises.noise_\1", name)
    return name.replace(".modulated_conv.", ".conv.")


def shown(names: Iterable[str]) -> str:
    """Some names, and how many more there are."""
    listed = sorted(names)
    rest = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + rest


def _compare(tensors: Mapping[str, Tensor], expected: set[str]) -> str:
    if missing := expected - set(tensors):
        return f"lacks tensors of its generator: {shown(missing)}"
    if unknown := {name for name in set(tensors) - expected if not _OPTIONAL.search(name)}:
        return f"is no unconditional StyleGAN2: no such generator has {shown(unknown)}"
    return ""


def _numbers(tensors: Mapping[str, Tensor], pattern: str) -> set[int]:
    return {int(found[1]) for name in tensors if (found := re.match(pattern, name))}
