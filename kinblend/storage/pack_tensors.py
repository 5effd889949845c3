"""Writes the weights of a checkpoint as a file of a pack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import CheckpointError
from kinblend.files import replacing
from kinblend.storage.checkpoint_reader import validate_tensors

if TYPE_CHECKING:
    from torch import Tensor


def write_tensors(path: Path, tensors: Mapping[str, Tensor], checkpoint: Path) -> None:
    """Write tensors that were read from `checkpoint` as the safetensors file `path`: float32, counters as they are.

    Raises `CheckpointError` naming the tensor that is no number of a network.
    """
    from safetensors.torch import save_file

    validate_tensors(checkpoint, tensors)
    floats = {name: _as_floats(checkpoint, name, tensor) for name, tensor in tensors.items()}
    with replacing(path) as target:
        save_file(_apart(floats), target)


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, each in memory of its own, as safetensors asks: those that are not are copied."""
    used = Counter(tensor.untyped_storage().data_ptr() for tensor in tensors.values())
    return {
        name: tensor if _is_alone(tensor) and used[tensor.untyped_storage().data_ptr()] == 1 else tensor.clone()
        for name, tensor in tensors.items()
    }


def _is_alone(tensor: Tensor) -> bool:
    """Whether its memory holds nothing else."""
    return tensor.untyped_storage().nbytes() == tensor.nbytes


def _as_floats(checkpoint: Path, name: str, tensor: Tensor) -> Tensor:
    """The tensor as float32; counters of a normalisation stay as they are."""
    if tensor.is_floating_point():
        return tensor.detach().float().contiguous()
    if name.endswith("num_batches_tracked"):
        return tensor.contiguous()
    kind = str(tensor.dtype).removeprefix("torch.")
    raise CheckpointError(
        f"{checkpoint}: its tensor {name} is {kind}; weights are float32, float16, bfloat16 or float64"
    )
