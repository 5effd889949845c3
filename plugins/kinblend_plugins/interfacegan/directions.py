"""Directions from files."""

from pathlib import Path

import torch
from torch import Tensor

from kinblend import LatentSpace
from kinblend.checkpoints import read_tensor
from kinblend.errors import LatentShapeError

PUBLISHED = 18  # layers of StyleGAN2 at 1024 px, for which directions are published
LAID_ON = 23  # layers of MobileStyleGAN, distilled from it


def read_direction(path: Path, name: str, space: LatentSpace) -> Tensor:
    """One direction as float32 [L, D].

    path: `.pt`, `.npy` or `.safetensors` with a tensor [D], [1, D], [L, D] or [1, L, D]; of several in a
        `.safetensors` file the one called `name`. A direction of StyleGAN2's 18 layers is laid onto 23.
    Raises `InputError`, `LatentShapeError`, `NonFiniteError`.
    """
    return to_code_shape(read_tensor(path, name, f"direction '{name}'"), space, f"direction '{name}' ({path})")


def to_code_shape(tensor: Tensor, space: LatentSpace, what: str) -> Tensor:
    """float32 [L, D] from [D], [1, D], [L, D] or [1, L, D]; and from 18 layers where L is 23."""
    if space.layers == LAID_ON and tuple(tensor.shape[-2:]) == (PUBLISHED, space.dim):
        tensor = tensor.reshape(PUBLISHED, space.dim)[_by_resolution()]
    allowed = [(space.dim,), (1, space.dim), (space.layers, space.dim), (1, space.layers, space.dim)]
    if tuple(tensor.shape) not in allowed:
        raise LatentShapeError(f"{what} has shape {list(tensor.shape)}; allowed are {', '.join(map(str, allowed))}")
    return tensor.float().reshape(-1, space.dim).expand(space.layers, space.dim).contiguous()


def _by_resolution() -> Tensor:
    """For each of 23 layers the one of 18 that acts at the same resolution.

    StyleGAN2 has one layer at 4 px, two at each of 8 to 1024 px and one for the picture; the other has one at 4 px,
    three at each of 8 to 512 px and one for the picture of 1024 px.
    """
    levels = [[2 * level + 1, 2 * level + 1, 2 * level + 2] for level in range(7)]
    return torch.tensor([0, *(layer for level in levels for layer in level), PUBLISHED - 2])
