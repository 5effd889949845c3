"""A picture → the code near W that reproduces it, by optimisation from a first guess.

Wulff and Torralba 2020 (a Gaussian prior on whitened codes), Zhu et al. 2020 (staying in the domain of faces).
Likeness alone would be met by a drawing of the person, so a code pays for leaving the cloud of samples, and its
layers for differing from each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kinblend.identity.network import IdentityNetwork
from kinblend.inversion.losses import (
    feature_distance,
    head_weight,
    identity_distance,
    identity_features,
    picture_distance,
    resized,
)
from kinblend.inversion.whitening import Whitening


@dataclass(frozen=True)
class Weights:
    """What the terms of the loss count. rate, offset_rate: Adam's steps for whitened codes and offsets."""

    pixels: float = 1.0
    identity: float = 3.0
    features: float = 1.0
    prior: float = 0.1
    offsets: float = 0.05
    rate: float = 0.06
    offset_rate: float = 0.02


def refine(
    draw: Callable[[Tensor], Tensor],
    space: Whitening,
    network: IdentityNetwork,
    target: Tensor,
    code: Tensor,
    steps: int,
    progress: Callable[[int, float], bool | None] | None = None,
    weights: Weights = Weights(),
) -> Tensor:
    """The refined code [1, L, D], float32.

    draw: codes [1, L, D] → picture [1, 3, R, R], differentiable. target: float32 [1, 3, S, S] in [−1, 1], aligned.
    code: where to begin, [1, L, D]. steps: of Adam. progress: told step and loss; by returning False it ends the
    work.
    """
    with torch.inference_mode(False), torch.enable_grad():
        target, code = target.clone(), code.clone().float()
        mean = code.mean(1)
        u = space.to_u(mean).requires_grad_()
        offsets = ((code - mean[:, None]) / space.spread).requires_grad_()
        with torch.no_grad():
            truth = identity_features(network, target)
        where = head_weight(target.shape[-1]).to(target)
        groups = [{"params": [u], "rate": weights.rate}, {"params": [offsets], "rate": weights.offset_rate}]
        adam = torch.optim.Adam(groups, lr=weights.rate, betas=(0.9, 0.95))
        for step in range(steps):
            for group in adam.param_groups:
                group["lr"] = group["rate"] * min(1.0, (step + 1) / 3, (steps - step) / (0.5 * steps))
            picture = resized(draw(space.codes(u, offsets)), target.shape[-1])
            features = identity_features(network, picture)
            loss = (
                weights.pixels * picture_distance(picture, target, where)
                + weights.identity * identity_distance(features, truth)
                + weights.features * feature_distance(features, truth)
                + weights.prior * u.square().mean(1)
                + weights.offsets * offsets.square().mean((1, 2))
            ).sum()
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            if progress is not None and progress(step + 1, float(loss.detach())) is False:
                break
        return space.codes(u, offsets).detach()
