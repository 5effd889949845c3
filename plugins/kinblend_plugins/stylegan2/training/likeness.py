"""Who the reconstructions look like: dlib's network, where its file is at hand."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.errors import ModelError
from kinblend.identity.chips import chips
from kinblend.identity.network import IdentityNetwork, identity_network, read_network
from kinblend_plugins.stylegan2.training.recipe import Recipe


def find(recipe: Recipe, device: torch.device) -> IdentityNetwork | None:
    """The identity network on the device; None where it is off or, if "auto", not to be found.

    Raises `ModelError` where it is "on", or its file is named, and it is missing.
    """
    if recipe.identity == "off":
        return None
    try:
        named = recipe.identity_file
        return (read_network(named) if named is not None else identity_network()).to(device)
    except (ModelError, OSError) as error:
        if recipe.identity == "auto" and recipe.identity_file is None:
            return None
        raise ModelError(f"no identity network: {error}; give --identity-file, or --identity off") from error


def distance(network: IdentityNetwork, found: Tensor, wanted: Tensor) -> Tensor:
    """1 − cosine between the embeddings of faces [n, 3, R, R], the mean; differentiable in `found`."""
    with torch.no_grad():
        target = F.normalize(network(chips(wanted)), dim=1)
    return 1 - (F.normalize(network(chips(found.float())), dim=1).float() * target).sum(1).mean()
