"""A network and the tensors that fill it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from kinblend.errors import CheckpointError, PluginError, summarize
from kinblend.interfaces import NO_VALUES, require_values

if TYPE_CHECKING:
    from torch import Tensor, nn

N = TypeVar("N", bound="nn.Module")


def build_network(make: Callable[[], N], tensors: Mapping[str, Tensor], owner: str, hint: str) -> N:
    """The network that `make` makes, holding `tensors`, floats as float32, ready to be asked and without gradients.

    `make` runs on torch's meta device, where tensors have a shape and no values: what it computes is lost. A constant
    has to be a persistent buffer that is among `tensors`, or be computed in `forward`.

    owner, hint: whose the tensors are and what to do where they don't fit, for messages ("the encoder", "import its
    checkpoint again"). Raises `CheckpointError` naming the tensor that is missing, unknown or of the wrong shape, and
    `PluginError` naming one that is left without values.
    """
    import torch

    try:
        with torch.device("meta"):
            network = make()
    except (RuntimeError, NotImplementedError) as error:
        if "meta" not in str(error):
            raise
        raise PluginError(
            f"{owner}: its network reads values of a tensor while it is made ({summarize(error)}); {NO_VALUES}"
        ) from error
    expected = network.state_dict()
    for name in sorted(set(expected) ^ set(tensors)):
        kind = "missing in the file" if name in expected else "unknown to the network"
        raise CheckpointError(f"{owner}: tensor {name} is {kind}; {hint}")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            found, needed = list(tensor.shape), list(expected[name].shape)
            raise CheckpointError(
                f"{owner}: tensor {name} has shape {found} in the file, and the network needs {needed}; {hint}"
            )
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    network.load_state_dict(floats, assign=True)
    require_values(network, owner)
    return network.eval().requires_grad_(False)
