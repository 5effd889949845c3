"""The two published families of tensor names → the names of `Generator`.

rosinality/stylegan2-pytorch: `style.*`, `input.input`, `conv1.*`, `convs.*`, `to_rgb1.*`, `to_rgbs.*`, `noises.*`;
and the `latent_avg` that its files hold beside the network.
NVlabs/stylegan2-ada-pytorch: `mapping.*`, `synthesis.b4.*` and on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan2.layers import binomial_kernel

_ROSINALITY = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}
_NVIDIA = {
    "weight": "weight",
    "affine.weight": "affine.weight",
    "affine.bias": "affine.bias",
    "noise_strength": "noise_strength",
    "noise_const": "noise",
    "bias": "bias",
}


def translate(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the names and in the shapes of `Generator`.

    Raises `CheckpointError` naming the tensor that belongs to neither family, has an unexpected number of dimensions,
    or is another resampling kernel than [1, 3, 3, 1].
    """
    if "synthesis.b4.const" in published:
        rename = _from_nvidia
    elif "input.input" in published:
        rename = _from_rosinality
    else:
        raise CheckpointError(
            "this generator has neither NVIDIA's tensor synthesis.b4.const nor rosinality's input.input"
        )
    tensors = {}
    for name, tensor in published.items():
        if name.endswith(("resample_filter", ".kernel")):
            _check_kernel(name, tensor)
            continue
        ours = rename(name)
        if ours is None:
            raise CheckpointError(f"the generator's tensor {name} is unknown: this is no unconditional StyleGAN2")
        tensors[ours] = _reshape(name, ours, tensor)
    return tensors


def to_nvidia(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a `Generator` under NVIDIA's names: what `translate` turns back."""
    ours = {name: published for published, name in _NVIDIA.items()}
    return {_nvidia_name(name, ours): tensor for name, tensor in tensors.items()}


def _nvidia_name(name: str, last: Mapping[str, str]) -> str:
    if name == "w_avg":
        return "mapping.w_avg"
    if name == "const":
        return "synthesis.b4.const"
    kind, index, rest = name.split(".", 2)
    if kind == "mapping_layers":
        return f"mapping.fc{index}.{rest}"
    if kind == "colours":
        return f"synthesis.b{4 << int(index)}.torgb.{last[rest]}"
    step = (int(index) + 1) // 2
    conv = "conv1" if int(index) % 2 == 0 else "conv0"
    return f"synthesis.b{4 << step}.{conv}.{last[rest]}"


def _from_nvidia(name: str) -> str | None:
    if name == "mapping.w_avg":
        return "w_avg"
    if name == "synthesis.b4.const":
        return "const"
    if found := re.fullmatch(r"mapping\.fc(\d+)\.(weight|bias)", name):
        return f"mapping_layers.{found[1]}.{found[2]}"
    found = re.fullmatch(r"synthesis\.b(\d+)\.(conv0|conv1|torgb)\.(.+)", name)
    if not found or found[3] not in _NVIDIA:
        return None
    step = int(found[1]).bit_length() - 3
    if found[2] == "torgb":
        return f"colours.{step}.{_NVIDIA[found[3]]}"
    return f"convs.{2 * step - (found[2] == 'conv0')}.{_NVIDIA[found[3]]}"


def _from_rosinality(name: str) -> str | None:
    if name in ("input.input", "latent_avg"):
        return "const" if name == "input.input" else "w_avg"
    if found := re.fullmatch(r"noises\.noise_(\d+)", name):
        return f"convs.{found[1]}.noise"
    if found := re.fullmatch(r"style\.(\d+)\.(weight|bias)", name):
        return f"mapping_layers.{int(found[1]) - 1}.{found[2]}"
    found = re.fullmatch(r"(conv1|to_rgb1|(convs|to_rgbs)\.(\d+))\.(.+)", name)
    if not found or found[4] not in _ROSINALITY:
        return None
    index = 0 if found[3] is None else int(found[3]) + 1
    return f"{'colours' if found[1].startswith('to_rgb') else 'convs'}.{index}.{_ROSINALITY[found[4]]}"


def _reshape(name: str, ours: str, tensor: Tensor) -> Tensor:
    """Without rosinality's leading (and, for vectors and scalars, trailing) dimensions of one."""
    last = ours.rsplit(".", 1)[-1]
    if ours == "const":
        dims = 3
    elif last == "weight":
        dims = 2 if "affine" in ours or ours.startswith("mapping") else 4
    else:
        dims = {"noise_strength": 0, "noise": 2}.get(last, 1)
    while tensor.ndim > dims and tensor.shape[0] == 1:
        tensor = tensor[0]
    while tensor.ndim > dims and tensor.shape[-1] == 1:
        tensor = tensor[..., 0]
    if tensor.ndim != dims:
        raise CheckpointError(
            f"the generator's tensor {name} has shape {list(tensor.shape)}; {dims} dimensions needed"
        )
    return tensor


def _check_kernel(name: str, kernel: Tensor) -> None:
    expected = binomial_kernel(kernel.float())
    total = kernel.float().sum()
    if kernel.shape != expected.shape or not torch.allclose(kernel.float() * 4, expected * total, atol=1e-3):
        raise CheckpointError(f"the generator's tensor {name} is another kernel than [1, 3, 3, 1]")
