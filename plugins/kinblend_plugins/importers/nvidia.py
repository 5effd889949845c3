"""NVIDIA's `.pkl` networks.

They are pickles whose modules are rebuilt from source code inside the file; the reader here takes the `state` of each
module and never looks at the source. Every global outside a short list is refused.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from kinblend.checkpoints import (
    Global,
    Refused,
    existing_checkpoint,
    ignore_state,
    make_mapping,
    read_legacy,
    read_pickle,
    reason,
    refuse_unsound,
    tensor_globals,
)
from kinblend.errors import CheckpointError
from kinblend.files import open_plain

MAX_ITEMS = 1_000_000  # of all modules
MAX_NAME = 1000  # letters of a module's or tensor's name, with those it is in
DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))  # of NumPy's scalars


@dataclass(frozen=True)
class Network:
    """One network of an NVIDIA file.

    tensors: parameters and buffers by their state-dict names, float32 on the CPU.
    settings: what else its modules keep that is a number, a text or None, by dotted name ("b4.conv1.conv_clamp").
    """

    tensors: dict[str, Tensor]
    settings: dict[str, float | str | None]


def read_nvidia(path: str | Path) -> dict[str, Network]:
    """The networks in an NVIDIA `.pkl` by name ("G", "D", "G_ema").

    Source: the layout that stylegan2-ada-pytorch's `torch_utils/persistence.py` writes.
    Raises `CheckpointError`.
    """
    path = existing_checkpoint(path)
    try:
        with open_plain(path) as file:
            content = read_pickle(file, _globals())
        if not isinstance(content, dict):
            raise Refused(f"it is a {type(content).__name__}, not a dict of networks")
        networks = {str(k): _network(v) for k, v in content.items() if isinstance(v, _Persistent)}
    except Exception as error:
        raise CheckpointError(f"{path} is refused: {reason(error)}") from error
    if not networks:
        raise CheckpointError(f"{path} holds no networks; an NVIDIA file has G_ema")
    return networks


class _Persistent:
    """A module of an NVIDIA pickle: the state it was saved with. The source of its class is not looked at."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
            raise Refused("it has a persistence record without a state")
        self.state: dict[str, Any] = meta["state"]


@dataclass
class _DType:
    """A NumPy dtype of a file, of which only its name and its byte order count."""

    dtype: Any


def _make_dtype(name: Any, *_: Any) -> _DType:
    if not isinstance(name, str) or name not in DTYPES:
        raise Refused("it has a dtype that no network needs")
    return _DType(np.dtype(name))


def _set_byte_order(made: _DType, state: Any) -> None:
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if order not in ("<", "|", "="):
        raise Refused("it has a dtype that no network needs")


def _make_scalar(dtype: Any, data: Any) -> float:
    if not isinstance(dtype, _DType) or not isinstance(data, bytes) or len(data) != dtype.dtype.itemsize:
        raise Refused("its items are in disorder")
    value: float = np.frombuffer(data, dtype.dtype)[0].item()
    return value


def _load_storage(data: Any) -> Any:
    if not isinstance(data, bytes):
        raise Refused("its items are in disorder")
    return read_legacy(io.BytesIO(data))


@cache
def _globals() -> dict[str, Global]:
    found = [
        *tensor_globals(),
        Global("torch_utils.persistence._reconstruct_persistent_obj", _Persistent),
        Global("torch.storage._load_from_bytes", _load_storage),
        Global("dnnlib.util.EasyDict", make_mapping, ignore_state),
        Global("numpy.dtype", _make_dtype, _set_byte_order),
        Global("numpy.core.multiarray.scalar", _make_scalar),
        Global("numpy._core.multiarray.scalar", _make_scalar),
    ]
    return {known.name: known for known in found}


def _network(network: _Persistent) -> Network:
    """Parameters, buffers and settings, found by walking the modules' states."""
    tensors: dict[str, Tensor] = {}
    settings: dict[str, float | str | None] = {}
    waiting, seen, looked_at = [("", network)], {id(network)}, 0
    while waiting:
        prefix, module = waiting.pop()
        own, held = module.state, [_dict(module, group) for group in ("_parameters", "_buffers", "_modules")]
        looked_at += len(own) + sum(map(len, held))
        if looked_at > MAX_ITEMS:
            raise Refused("it holds more than any network's file")
        for name, value in own.items():
            if value is None or isinstance(value, (int, float, str)):
                settings[_dotted(prefix, name)] = value
        for group in held[:2]:
            tensors |= {_dotted(prefix, name): value for name, value in group if value is not None}
        for name, child in held[2]:
            if id(child) in seen:
                raise Refused("a module of it is held twice, or holds itself")
            if isinstance(child, _Persistent):
                seen.add(id(child))
                waiting.append((f"{_dotted(prefix, name)}.", child))
    refuse_unsound(tensors)
    return Network({name: tensor.detach().float() for name, tensor in tensors.items()}, settings)


def _dotted(prefix: str, name: Any) -> str:
    dotted = prefix + str(name)
    if len(dotted) > MAX_NAME:
        raise Refused("it has a longer name than any network")
    return dotted


def _dict(module: _Persistent, group: str) -> list[tuple[Any, Any]]:
    found = module.state.get(group, {})
    if not isinstance(found, dict):
        raise Refused(f"a module's {group} are no dict")
    return list(found.items())
