"""Reads published checkpoints without executing anything they hold.

PyTorch files go through `torch.load(weights_only=True)`. NVIDIA's `.pkl` networks are pickles whose modules are
rebuilt from source code inside the file; the reader here takes the `state` of each module and never looks at the
source. Every global outside a short list is refused.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

_MAX_BYTES = 8 * 1024**3


def read_torch(path: str | Path) -> Any:
    """What a `torch.save` file holds: tensors and plain containers only, on the CPU.

    Raises `CheckpointError` for anything else, TorchScript included.
    """
    import torch

    path = _existing(path)
    if zipfile.is_zipfile(path):
        _refuse_torchscript(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # A hostile or damaged file can surface as nearly any exception; none of them may pass as a traceback.
    except Exception as error:
        raise CheckpointError(f"{path} is refused: {_first_line(error)}") from error


def read_nvidia(path: str | Path) -> dict[str, dict[str, Tensor]]:
    """The state dicts of the networks in an NVIDIA `.pkl` ("G", "D", "G_ema"), float32 tensors on the CPU.

    Source: the layout that stylegan2-ada-pytorch's `torch_utils/persistence.py` writes.
    Raises `CheckpointError`.
    """
    path = _existing(path)
    try:
        with path.open("rb") as file:
            content = _Reader(file).load()
    except Exception as error:
        raise CheckpointError(f"{path} is refused: {_first_line(error)}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds no networks: it is a {type(content).__name__}, not a dict")
    networks = {str(k): v for k, v in content.items() if isinstance(v, _Persistent)}
    if not networks:
        raise CheckpointError(f"{path} holds no networks; an NVIDIA file has G_ema")
    return {name: dict(_tensors(network, "")) for name, network in networks.items()}


class _Persistent:
    """A module of an NVIDIA pickle: its class name and the state it was saved with."""

    def __init__(self, meta: Mapping[str, Any]) -> None:
        if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
            raise pickle.UnpicklingError("a persistence record without a state")
        self.class_name = str(meta.get("class_name"))
        self.state: dict[str, Any] = meta["state"]


class _Reader(pickle.Unpickler):
    """An unpickler that knows the few globals an NVIDIA network needs and refuses every other."""

    def find_class(self, module: str, name: str) -> Any:
        known = _known_globals()
        try:
            return known[f"{module}.{name}"]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no network needs") from None

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


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
    import torch

    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _tensors(network: _Persistent, prefix: str) -> list[tuple[str, Tensor]]:
    """Parameters and buffers by their state-dict names, found by walking the modules' states."""
    import torch

    found: list[tuple[str, Tensor]] = []
    for group in ("_parameters", "_buffers"):
        for name, value in network.state.get(group, {}).items():
            if isinstance(value, torch.Tensor):
                found.append((prefix + str(name), value.detach().float()))
    for name, child in network.state.get("_modules", {}).items():
        if isinstance(child, _Persistent):
            found += _tensors(child, f"{prefix}{name}.")
    return found


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    if path.stat().st_size > _MAX_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size} bytes; no network is larger than {_MAX_BYTES}")
    return path


def _refuse_torchscript(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise CheckpointError(f"{path} is a damaged archive: {error}") from error
    if any(name.endswith("constants.pkl") or "/code/" in name for name in names):
        raise CheckpointError(f"{path} is TorchScript, which holds code; give the state dict instead")


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"[:300]
