"""Writes checkpoint files laid out as their publishers write them."""

import io
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor


class Call:
    """Pickles as a call of `function(*arguments)`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def write_e4e(path: Path, state: Mapping[str, Tensor], average: Tensor) -> None:
    """encoder4editing's `.pt`."""
    torch.save({"state_dict": dict(state), "latent_avg": average, "opts": {"device": "cuda:0"}}, path)


def write_nvidia(path: Path, state: Mapping[str, Tensor], source: str = "raise RuntimeError('executed')") -> None:
    """NVIDIA's `.pkl`: modules are persistence records with the source code of their class."""
    content = {"G_ema": _record(state, source), "training_set_kwargs": {"max_size": 3}, "augment_pipe": None}
    path.write_bytes(pickle_nvidia(content))


def pickle_nvidia(content: object) -> bytes:
    """Pickle with `_reconstruct` under the name it has in NVIDIA's files."""
    module = types.ModuleType("torch_utils.persistence")
    module._reconstruct_persistent_obj = _reconstruct
    names = {"torch_utils": types.ModuleType("torch_utils"), "torch_utils.persistence": module}
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


def _reconstruct(meta: dict) -> None:
    """Only its name matters: it is what NVIDIA's files call."""


def _record(state: Mapping[str, Tensor], source: str) -> Call:
    children: dict[str, dict[str, Tensor]] = {}
    own = OrderedDict()
    for key, tensor in state.items():
        first, dot, rest = key.partition(".")
        if dot:
            children.setdefault(first, {})[rest] = tensor
        else:
            own[first] = torch.nn.Parameter(tensor, requires_grad=False)
    modules = OrderedDict((name, _record(child, source)) for name, child in children.items())
    inside = {"_parameters": own, "_buffers": OrderedDict(), "_modules": modules, "training": False}
    meta = {"type": "class", "version": 6, "module_src": source, "class_name": "Module", "state": inside}
    return Call(_reconstruct, meta)
