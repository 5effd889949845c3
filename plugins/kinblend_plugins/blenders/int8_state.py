"""State dicts in a quarter of their size: matrices as int8 with a scale for each row."""

from collections.abc import Mapping

import torch
from torch import Tensor

SCALE = ".scale"


def pack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every float matrix [m, n] as int8 [m, n] and `NAME.scale` float32 [m, 1]; the rest as it is."""
    packed = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and tensor.is_floating_point():
            scale = (tensor.abs().amax(1, keepdim=True) / 127).clamp_min(1e-12)
            packed[name] = (tensor / scale).round().to(torch.int8)
            packed[name + SCALE] = scale
        else:
            packed[name] = tensor.clone()
    return packed


def unpack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `pack` was given, within half a step; a state dict that is not packed comes back as it is."""
    return {
        name: tensor * tensors[name + SCALE] if name + SCALE in tensors else tensor
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }
