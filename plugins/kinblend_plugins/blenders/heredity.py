"""Whom a child is expected to be like: its embedding from its parents', as families teach it."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend.checkpoints import build_network, validate_tensors
from kinblend.errors import CheckpointError
from kinblend.files import replacing
from kinblend.tensor_files import SafetensorError, safe_open


class Heredity(nn.Module):
    """Unit embeddings of what the parents have between them, [n, E] → the child's as expected, of unit length too.

    A linear map beside the identity: what an identity network sees in a face is handed down more or less, and only
    families tell how much of it. Untrained it changes nothing.
    Source: a metric learned for kinship, as Lu et al. 2014, "Neighborhood repulsed metric learning for kinship
    verification", here used to predict instead of to compare.

    identity: the network that the embeddings come from.
    """

    def __init__(self, size: int, identity: str) -> None:
        super().__init__()
        self.identity = identity
        self.change = nn.Linear(size, size)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)

    def forward(self, both: Tensor) -> Tensor:
        return F.normalize(both + self.change(both), dim=1)


def save_heredity(path: Path, heredity: Heredity) -> None:
    """Write it."""
    tensors = {name: tensor.detach().clone() for name, tensor in heredity.state_dict().items()}
    with replacing(path) as part:
        save_file(tensors, part, {"identity": heredity.identity})


def load_heredity(path: Path) -> Heredity:
    """Read it. Raises `CheckpointError` naming the tensor that does not fit."""
    try:
        with safe_open(path, framework="pt") as file:
            identity = (file.metadata() or {}).get("identity", "")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} can't be read: {error}") from error
    validate_tensors(path, tensors)
    bias = tensors.get("change.bias", torch.zeros(0))
    hint = "make it with `kinblend train blender likeness --trios FILE`"
    if not identity:
        raise CheckpointError(f"{path} doesn't say whose embeddings it is for; {hint}")
    return build_network(lambda: Heredity(len(bias), identity), tensors, "heredity", hint)
