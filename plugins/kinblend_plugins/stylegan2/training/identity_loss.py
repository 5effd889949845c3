"""Who the reconstructions look like: dlib's network, where its file is at hand."""

from __future__ import annotations

import torch
from torch import Tensor

from kinblend.errors import ModelError
from kinblend.identity.crops import chips
from kinblend.identity.dlib_resnet import DlibResNet, identity_network, read_network
from kinblend_plugins.stylegan2.training.recipe import Recipe


def find(recipe: Recipe, device: torch.device) -> DlibResNet | None:
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
        raise ModelError(f"no identity network: {error}; give identity_file, or identity=off") from error


def distance(network: DlibResNet, found: Tensor, wanted: Tensor) -> Tensor:
    """Between the embeddings of faces float32 [n, 3, R, R]: [n], differentiable in `found`.

    Above 0.6 dlib takes two faces for two people.
    """
    with torch.no_grad():
        target = network(chips(wanted)).float()
    difference = network(chips(found)).float() - target
    result: Tensor = difference.square().sum(1).add(1e-12).sqrt()
    return result
