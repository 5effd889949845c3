"""A network and the tensors that fill it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from kinblend.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor, nn

N = TypeVar("N", bound="nn.Module")


def build_network(make: Callable[[], N], tensors: Mapping[str, Tensor], owner: str, hint: str) -> N:
    """The network that `make` makes, holding `tensors`, floats as float32, ready to be asked and without gradients.

    owner, hint: whose the tensors are and what to do where they don't fit, for messages ("the encoder", "import its
    checkpoint again"). Raises `CheckpointError` naming the tensor that is missing, unknown or of the wrong shape.
    """
    import torch

    with torch.device("meta"):
        network = make()
    expected = network.state_dict()
    for name in sorted(set(expected) ^ set(tensors)):
        kind = "missing" if name in expected else "unknown"
        raise CheckpointError(f"{owner}'s tensor {name} is {kind}; {hint}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            found, needed = list(tensor.shape), list(expected[name].shape)
            raise CheckpointError(f"{owner}'s tensor {name} has shape {found}, not {needed}; {hint}")
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    network.load_state_dict(floats, assign=True)
    return network.eval().requires_grad_(False)
