"""One tensor from a file that someone gives: a direction, a list of shares, a mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import InputError, NonFiniteError

if TYPE_CHECKING:
    from torch import Tensor


def read_tensor(path: str | Path, name: str, what: str) -> Tensor:
    """The tensor of a `.pt`, `.npy` or `.safetensors` file, on the CPU, in the dtype it was saved in.

    name: which to take of a `.safetensors` file with several. what: names the thing in messages ("direction 'age'").
    Nothing in the file is executed. Raises `InputError` and `NonFiniteError`.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{what}: {path} does not exist")
    if path.suffix not in _READERS:
        raise InputError(f"{what}: {path} is none of {', '.join(_READERS)}")
    try:
        value = _READERS[path.suffix](path, name)
    # A damaged or hostile file can surface as nearly any exception of the three readers.
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{what}: {path} can't be read: {reason}") from error
    if not isinstance(value, torch.Tensor):
        raise InputError(f"{what}: {path} holds no tensor called '{name}'")
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise NonFiniteError(f"{what}: {path} holds NaN or infinity")
    return value


def _pt(path: Path, name: str) -> object:
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


def _npy(path: Path, name: str) -> object:
    import numpy as np
    import torch

    return torch.from_numpy(np.load(path, allow_pickle=False))


def _safetensors(path: Path, name: str) -> object:
    from safetensors.torch import load_file

    tensors = load_file(path)
    return next(iter(tensors.values())) if len(tensors) == 1 else tensors.get(name)


_READERS = {".pt": _pt, ".npy": _npy, ".safetensors": _safetensors}
