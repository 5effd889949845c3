"""One tensor from a file that someone gives: a direction, a list of shares, a mask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import InputError, NonFiniteError
from kinblend.storage.checkpoint_reader import describe_file
from kinblend.storage.safe_pickle import NotFinite, Refused, reason, refuse_unsound
from kinblend.storage.torch_files import load_plain

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
        raise InputError(f"{what}: {path} {'is a folder' if path.is_dir() else 'does not exist'}")
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{what}: {path} is none of {', '.join(_READERS)}")
    try:
        value = read(path, name)
    # A damaged or hostile file can surface as nearly any exception of the three readers.
    except Exception as error:
        foreign = describe_file(path) if path.suffix.lower() != ".npy" else ""
        raise InputError(f"{what}: {path} {f'is {foreign}' if foreign else _unreadable(error)}") from error
    if not isinstance(value, torch.Tensor):
        raise InputError(f"{what}: {path} holds no tensor called '{name}'")
    try:
        refuse_unsound({name: value})
    except NotFinite as error:
        raise NonFiniteError(f"{what}: {path} holds NaN or infinity") from error
    except Refused as error:
        raise InputError(f"{what}: {path} can't be used: {error}") from error
    return value


def _unreadable(error: Exception) -> str:
    return f"can't be read: {reason(error)}"


def _pt(path: Path, name: str) -> object:
    return load_plain(path)


def _npy(path: Path, name: str) -> object:
    import numpy as np
    import torch

    return torch.from_numpy(np.load(path, allow_pickle=False))


def _safetensors(path: Path, name: str) -> object:
    from kinblend.tensor_files import load_file

    tensors = load_file(path)
    return next(iter(tensors.values())) if len(tensors) == 1 else tensors.get(name)


_READERS = {".pt": _pt, ".npy": _npy, ".safetensors": _safetensors}
