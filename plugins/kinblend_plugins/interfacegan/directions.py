"""Directions from files."""

from pathlib import Path

from torch import Tensor

from kinblend import LatentSpace, read_tensor
from kinblend.errors import LatentShapeError


def read_direction(path: Path, name: str, space: LatentSpace) -> Tensor:
    """One direction as float32 [L, D].

    path: `.pt`, `.npy` or `.safetensors` with a tensor [D], [1, D], [L, D] or [1, L, D]; of several in a
        `.safetensors` file the one called `name`.
    Raises `InputError`, `LatentShapeError`, `NonFiniteError`.
    """
    return to_code_shape(read_tensor(path, name, f"direction '{name}'"), space, f"direction '{name}' ({path})")


def to_code_shape(tensor: Tensor, space: LatentSpace, what: str) -> Tensor:
    """float32 [L, D] from [D], [1, D], [L, D] or [1, L, D]."""
    allowed = [(space.dim,), (1, space.dim), (space.layers, space.dim), (1, space.layers, space.dim)]
    if tuple(tensor.shape) not in allowed:
        raise LatentShapeError(f"{what} has shape {list(tensor.shape)}; allowed are {', '.join(map(str, allowed))}")
    return tensor.float().reshape(-1, space.dim).expand(space.layers, space.dim).contiguous()
