"""Directions from files."""

from pathlib import Path

import torch
from torch import Tensor

from kinblend import LatentSpace
from kinblend.errors import LatentShapeError, NonFiniteError, UsageError


def read_direction(path: Path, name: str, space: LatentSpace) -> Tensor:
    """One direction as float32 [L, D].

    path: `.pt`, `.npy` or `.safetensors` with a tensor [D], [1, D], [L, D] or [1, L, D]. In a `.safetensors` of
        several tensors the one called `name` is taken.
    Raises `UsageError`, `LatentShapeError`, `NonFiniteError`.
    """
    return to_code_shape(_read(path, name), space, f"direction '{name}' ({path})")


def to_code_shape(tensor: Tensor, space: LatentSpace, what: str) -> Tensor:
    """float32 [L, D] from [D], [1, D], [L, D] or [1, L, D]."""
    allowed = [(space.dim,), (1, space.dim), (space.layers, space.dim), (1, space.layers, space.dim)]
    if tuple(tensor.shape) not in allowed:
        raise LatentShapeError(f"{what} has shape {list(tensor.shape)}; allowed are {', '.join(map(str, allowed))}")
    if not bool(torch.isfinite(tensor).all()):
        raise NonFiniteError(f"{what} holds NaN or infinity")
    return tensor.float().reshape(-1, space.dim).expand(space.layers, space.dim).contiguous()


def _read(path: Path, name: str) -> Tensor:
    if not path.is_file():
        raise UsageError(f"direction '{name}': {path} does not exist")
    try:
        if path.suffix == ".pt":
            value = torch.load(path, map_location="cpu", weights_only=True)
        elif path.suffix == ".npy":
            import numpy as np

            value = torch.from_numpy(np.load(path, allow_pickle=False))
        elif path.suffix == ".safetensors":
            from safetensors.torch import load_file

            tensors = load_file(path)
            value = tensors.get(name, next(iter(tensors.values())) if len(tensors) == 1 else None)
        else:
            raise UsageError(f"direction '{name}': {path} is neither .pt, .npy nor .safetensors")
    except UsageError:
        raise
    # A damaged or hostile file can surface as nearly any exception of the three readers.
    except Exception as error:
        raise UsageError(f"direction '{name}': {path} can't be read: {str(error).splitlines()[0]}") from error
    if not isinstance(value, Tensor):
        raise UsageError(f"direction '{name}': {path} holds no tensor of that name")
    return value
