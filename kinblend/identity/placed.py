"""Identity networks on a device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kinblend.face_interfaces import IdentityNetwork

if TYPE_CHECKING:
    import torch
    from torch import Tensor

GUARDED = ("embed_pictures", "embed_faces")


def embedder_on(network: IdentityNetwork, device: torch.device) -> Callable[[Tensor], Tensor]:
    """`embed_pictures` on a device: pictures float32 [n, 3, S, S] on any device → embeddings [n, E], differentiable.

    The torch networks among the identity network's attributes are copied to the device; the network itself stays as
    it is. One without any works on the CPU, and so do all where `device` is the CPU.
    """
    placed = network if device.type == "cpu" else _placed(network, device)
    at = "cpu" if placed is network else device

    def embed(pictures: Tensor) -> Tensor:
        return placed.embed_pictures(pictures.to(at))

    return embed


def _placed(network: IdentityNetwork, device: torch.device) -> IdentityNetwork:
    """A copy with its torch networks on the device; the network itself where it has none."""
    moved = {name: found for name, value in vars(network).items() if (found := _moved(value, device)) is not value}
    if not moved:
        return network
    placed = copy.copy(network)
    vars(placed).update(moved)
    for name in GUARDED:
        vars(placed).pop(name, None)  # a check of the original's output, which would call the original
    return placed


def _moved(value: Any, device: torch.device) -> Any:
    from torch import nn

    if isinstance(value, nn.Module):
        return copy.deepcopy(value).to(device)
    if isinstance(value, IdentityNetwork):
        return _placed(value, device)
    if isinstance(value, tuple):
        found = tuple(_moved(one, device) for one in value)
        return value if all(new is old for new, old in zip(found, value, strict=True)) else found
    return value
