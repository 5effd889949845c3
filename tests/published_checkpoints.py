"""Writes checkpoint files laid out as their publishers write them."""

import io
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from kinblend_plugins.stylegan2.generator import Generator


class Call:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def write_e4e(path: Path, state: Mapping[str, Tensor], average: Tensor) -> None:
    """encoder4editing's `.pt`."""
    torch.save({"state_dict": dict(state), "latent_avg": average, "opts": {"device": "cuda:0"}}, path)


def write_rosinality(path: Path, state: Mapping[str, Tensor], **beside: object) -> None:
    """rosinality's training checkpoint; beside: what it holds next to the generator (`latent_avg`, `args`)."""
    torch.save({"g_ema": dict(state), **beside}, path)


def write_nvidia(
    path: Path,
    state: Mapping[str, Tensor],
    source: str = "raise RuntimeError('executed')",
    settings: Mapping[str, object] | None = None,
) -> None:
    """NVIDIA's `.pkl`: modules are persistence records with the source code of their class.

    settings: attributes of the modules by dotted name ("synthesis.b4.conv1.conv_clamp").
    """
    record = _record(state | dict(settings or {}), source)
    content = {"G_ema": record, "training_set_kwargs": _easy({"max_size": 3}), "augment_pipe": None}
    path.write_bytes(pickle_nvidia(content))


def pickle_nvidia(content: object) -> bytes:
    """Pickle with `_reconstruct` under the name it has in NVIDIA's files."""
    module = types.ModuleType("torch_utils.persistence")
    module._reconstruct_persistent_obj = _reconstruct
    dnnlib = types.ModuleType("dnnlib.util")
    dnnlib.EasyDict = EasyDict
    names = {"torch_utils": types.ModuleType("torch_utils"), "torch_utils.persistence": module}
    names |= {"dnnlib": types.ModuleType("dnnlib"), "dnnlib.util": dnnlib}
    renamed = {"__module__": "torch_utils.persistence", "__qualname__": "_reconstruct_persistent_obj"}
    before = {name: getattr(_reconstruct, name) for name in renamed}
    buffer = io.BytesIO()
    with mock.patch.dict(sys.modules, names):
        for name, value in renamed.items():
            setattr(_reconstruct, name, value)
        try:
            pickle.dump(content, buffer)
        finally:
            for name, value in before.items():
                setattr(_reconstruct, name, value)
    return buffer.getvalue()


class EasyDict(dict):
    """NVIDIA's dict with attributes, by the name it has in their files."""

    __module__ = "dnnlib.util"


def _easy(values: Mapping[str, object]) -> EasyDict:
    return EasyDict({**values, "rate": np.float64(0.002)})  # their files hold NumPy scalars too


def _reconstruct(meta: dict) -> None:
    """Only its name matters: it is what NVIDIA's files call."""


def _record(state: Mapping[str, object], source: str) -> Call:
    children: dict[str, dict[str, object]] = {}
    own, settings = OrderedDict(), {}
    for key, value in state.items():
        first, dot, rest = key.partition(".")
        if dot:
            children.setdefault(first, {})[rest] = value
        elif isinstance(value, Tensor):
            own[first] = torch.nn.Parameter(value, requires_grad=False)
        else:
            settings[first] = value
    modules = OrderedDict((name, _record(child, source)) for name, child in children.items())
    inside = {"_parameters": own, "_buffers": OrderedDict(), "_modules": modules, "training": False, **settings}
    return record({"type": "class", "version": 6, "module_src": source, "class_name": "Module", "state": inside})


def record(meta: object) -> Call:
    """A persistence record, well formed or not."""
    return Call(_reconstruct, meta)


def toy(size: int, width: int = 4, depth: int = 2) -> Generator:
    """A generator of few channels and made-up weights."""
    torch.manual_seed(size + width)
    generator = Generator([width] * (size.bit_length() - 2), depth)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.fill_(0.3)
            elif name.endswith(".bias") and "affine" not in name:
                parameter.normal_(std=0.1)
    return generator.eval()


_PARTS = {"weight": "weight", "affine.weight": "affine.weight", "affine.bias": "affine.bias", "bias": "bias"}
_NVIDIA = _PARTS | {"noise_strength": "noise_strength", "noise": "noise_const"}
_MODULATED = {
    "weight": "conv.weight",
    "affine.weight": "conv.modulation.weight",
    "affine.bias": "conv.modulation.bias",
}
_ROSINALITY = _MODULATED | {"noise_strength": "noise.weight", "bias": "activate.bias"}


def in_nvidias_names(generator: Generator) -> dict[str, Tensor]:
    """The generator's tensors named and shaped as stylegan2-ada-pytorch has them."""
    found = {}
    for name, tensor in generator.state_dict().items():
        first, _, rest = name.partition(".")
        index, _, part = rest.partition(".")
        if first == "w_avg":
            found["mapping.w_avg"] = tensor
        elif first == "const":
            found["synthesis.b4.const"] = tensor
        elif first == "mapping_layers":
            found[f"mapping.fc{index}.{part}"] = tensor
        elif first == "colours":
            found[f"synthesis.b{4 * 2 ** int(index)}.torgb.{_PARTS[part]}"] = tensor
        else:
            size = 4 * 2 ** ((int(index) + 1) // 2)
            found[f"synthesis.b{size}.conv{1 - int(index) % 2}.{_NVIDIA[part]}"] = tensor
    return found


def in_rosinalitys_names(generator: Generator) -> dict[str, Tensor]:
    """The same as rosinality's code has them, without the latent average, which its files hold beside the network."""
    found = {}
    for name, tensor in generator.state_dict().items():
        first, _, rest = name.partition(".")
        index, _, part = rest.partition(".")
        if first == "const":
            found["input.input"] = tensor[None]
        elif first == "mapping_layers":
            found[f"style.{int(index) + 1}.{part}"] = tensor
        elif first == "colours":
            place = "to_rgb1" if index == "0" else f"to_rgbs.{int(index) - 1}"
            shaped = tensor.view(1, 3, 1, 1) if part == "bias" else tensor[None] if part == "weight" else tensor
            found[f"{place}.{'bias' if part == 'bias' else _MODULATED[part]}"] = shaped
        elif part == "noise":
            found[f"noises.noise_{index}"] = tensor[None, None]
        elif first == "convs":
            place = "conv1" if index == "0" else f"convs.{int(index) - 1}"
            shaped = tensor[None] if part in ("weight", "noise_strength") else tensor
            found[f"{place}.{_ROSINALITY[part]}"] = shaped
    return found
