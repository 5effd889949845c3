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
from typing import TYPE_CHECKING, Any

from kinblend.errors import CheckpointError
from kinblend.files import open_plain
from kinblend.storage.checkpoint_reader import existing_checkpoint, refusal
from kinblend.storage.safe_pickle import Global, Refused, read_pickle, refuse_unsound
from kinblend.storage.torch_files import read_legacy, tensor_globals

if TYPE_CHECKING:
    from torch import Tensor

MAX_ITEMS = 1_000_000  # of all modules
MAX_NAME = 1000  # letters of a module's or tensor's name, with those it is in


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
    content = read_pickled(path)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a dict of networks")
    networks = {str(name): value for name, value in content.items() if isinstance(value, Network)}
    if not networks:
        raise CheckpointError(f"{path} holds no networks; an NVIDIA file has G_ema")
    return networks


def read_pickled(path: str | Path) -> Any:
    """What a pickle of NVIDIA's or of plain containers holds; modules are `Network`s. Raises `CheckpointError`."""
    path = existing_checkpoint(path)
    try:
        with open_plain(path) as file:
            content = read_pickle(file, _globals())
        if isinstance(content, _Persistent):
            return _network(content)
        if isinstance(content, dict):
            return {k: _network(v) if isinstance(v, _Persistent) else v for k, v in content.items()}
        return content
    except Exception as error:
        raise refusal(path, error) from error


class _Persistent:
    """A module of an NVIDIA pickle: the state it was saved with. The source of its class is not looked at."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
            raise Refused("it has a persistence record without a state")
        self.state: dict[str, Any] = meta["state"]


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
