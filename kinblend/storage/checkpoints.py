"""Reads published checkpoints without executing anything they hold.

PyTorch files go through `torch.load(weights_only=True)`. NVIDIA's `.pkl` networks are pickles whose modules are
rebuilt from source code inside the file; the reader here takes the `state` of each module and never looks at the
source. Every global outside a short list is refused.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import CheckpointError, InputError
from kinblend.files import open_plain
from kinblend.storage.archives import open_archive
from kinblend.storage.pickles import Refused, load_plain, reason, refuse_unsound

if TYPE_CHECKING:
    from torch import Tensor

_MAX_BYTES = 8 * 1024**3
_ARCHIVE = b"PK\x03\x04"
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how `torch.save` began its files before version 1.6


@dataclass(frozen=True)
class Network:
    """One network of an NVIDIA file.

    tensors: parameters and buffers by their state-dict names, float32 on the CPU.
    settings: what else its modules keep that is a number, a text or None, by dotted name ("b4.conv1.conv_clamp").
    """

    tensors: dict[str, Tensor]
    settings: dict[str, float | str | None]


def kind_of(path: str | Path) -> str:
    """What the content is, whatever the file is called: "torch" (of `torch.save`), "zip" (any other), "pickle", or
    "other"."""
    path = _existing(path)
    head = _head(path)
    if head.startswith(b"PK"):
        return "torch" if _may_be_torchs(path) else "zip"
    if head == _LEGACY:
        return "torch"
    return "pickle" if head.startswith(b"\x80") else "other"


def read_torch(path: str | Path) -> Any:
    """What a `torch.save` file holds: tensors and plain containers only, on the CPU.

    Raises `CheckpointError` for anything else, TorchScript included.
    """
    path = _existing(path)
    archive = _head(path).startswith(_ARCHIVE)
    if archive:
        _refuse_torchscript(path)
    try:
        return load_plain(path, mapped=archive)
    # A hostile or damaged file can surface as nearly any exception; none of them may pass as a traceback.
    except Exception as error:
        raise CheckpointError(f"{path} is refused: {reason(error)}") from error


def check_weights(path: str | Path, tensors: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` naming the tensor read from `path` that no network can have: sparse, complex, with NaN,
    or larger than its file."""
    try:
        refuse_unsound(tensors)
    except Refused as error:
        raise CheckpointError(f"{path} is refused: {error}") from error


def read_nvidia(path: str | Path) -> dict[str, Network]:
    """The networks in an NVIDIA `.pkl` by name ("G", "D", "G_ema").

    Source: the layout that stylegan2-ada-pytorch's `torch_utils/persistence.py` writes.
    Raises `CheckpointError`.
    """
    path = _existing(path)
    try:
        with open_plain(path) as file:
            content = _Reader(file).load()
        if not isinstance(content, dict):
            raise Refused(f"it is a {type(content).__name__}, not a dict of networks")
        networks = {str(k): _network(v) for k, v in content.items() if isinstance(v, _Persistent)}
    except Exception as error:
        raise CheckpointError(f"{path} is refused: {reason(error)}") from error
    if not networks:
        raise CheckpointError(f"{path} holds no networks; an NVIDIA file has G_ema")
    return networks


class _Persistent:
    """A module of an NVIDIA pickle: its class name and the state it was saved with."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
            raise Refused("it has a persistence record without a state")
        self.class_name = str(meta.get("class_name"))
        self.state: dict[str, Any] = meta["state"]


class _Reader(pickle.Unpickler):
    """An unpickler that knows the few globals an NVIDIA network needs and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        known = _known_globals()
        try:
            return known[f"{module}.{name}"]
        except KeyError:
            raise Refused(f"it asks for {module}.{name}, which no weights need") from None

    def persistent_load(self, pid: Any) -> Any:
        raise Refused("it refers to objects outside the file")


def _known_globals() -> dict[str, Any]:
    import numpy as np
    from torch import _utils

    scalar = np.float64(0).__reduce__()[0]
    return {
        "torch_utils.persistence._reconstruct_persistent_obj": _Persistent,
        "torch.storage._load_from_bytes": _load_storage,
        "torch._utils._rebuild_tensor_v2": _utils._rebuild_tensor_v2,
        "torch._utils._rebuild_parameter": _utils._rebuild_parameter,
        "collections.OrderedDict": OrderedDict,
        "dnnlib.util.EasyDict": _EasyDict,
        "builtins.set": set,
        "numpy.dtype": np.dtype,
        "numpy.core.multiarray.scalar": scalar,
        "numpy._core.multiarray.scalar": scalar,
    }


class _EasyDict(dict[str, Any]):
    """Stands in for NVIDIA's dict with attributes."""


def _load_storage(data: bytes) -> Any:
    return load_plain(io.BytesIO(data))


def _network(network: _Persistent) -> Network:
    """Parameters, buffers and settings, found by walking the modules' states."""
    tensors: dict[str, Tensor] = {}
    settings: dict[str, float | str | None] = {}
    waiting, seen = [("", network)], {id(network)}
    while waiting:
        prefix, module = waiting.pop()
        for name, value in module.state.items():
            if value is None or isinstance(value, (int, float, str)):
                settings[prefix + str(name)] = value
        for group in ("_parameters", "_buffers"):
            tensors |= {prefix + str(name): value for name, value in _dict(module, group) if value is not None}
        for name, child in _dict(module, "_modules"):
            if id(child) in seen:
                raise Refused("a module of it is held twice, or holds itself")
            if isinstance(child, _Persistent):
                seen.add(id(child))
                waiting.append((f"{prefix}{name}.", child))
    refuse_unsound(tensors)
    return Network({name: tensor.detach().float() for name, tensor in tensors.items()}, settings)


def _dict(module: _Persistent, group: str) -> list[tuple[Any, Any]]:
    found = module.state.get(group, {})
    if not isinstance(found, dict):
        raise Refused(f"a module's {group} are no dict")
    return list(found.items())


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; name the checkpoint in it")
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    size = path.stat().st_size
    if not size:
        raise CheckpointError(f"{path} is empty; fetch it again")
    if size > _MAX_BYTES:
        raise CheckpointError(f"{path} has {size} bytes; no network is larger than {_MAX_BYTES}")
    return path


def _may_be_torchs(path: Path) -> bool:
    """Whether a zip is of `torch.save`, or too damaged to tell."""
    try:
        with open_archive(path) as archive:
            return any(name.endswith("data.pkl") for name in archive.names())
    except InputError:
        return True


def _head(path: Path) -> bytes:
    with open_plain(path) as file:
        return file.read(len(_LEGACY))


def _refuse_torchscript(path: Path) -> None:
    try:
        with open_archive(path) as archive:
            names = archive.names()
    except InputError as error:
        raise CheckpointError(f"{path} is refused: {error}") from error
    if any(name.endswith("constants.pkl") or "/code/" in name for name in names):
        raise CheckpointError(f"{path} is TorchScript, which holds code; give the state dict instead")
