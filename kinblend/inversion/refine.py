"""A picture → the code near W that reproduces it, by optimisation from a first guess.

Wulff and Torralba 2020 (a Gaussian prior on whitened codes), Zhu et al. 2020 (staying in the domain of faces).
Similarity alone would be met by a drawing of the person, so each step pulls the code back towards the mean of
samples, and its layers pay for differing from each other.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kinblend.cancellation import check_cancelled
from kinblend.identity.dlib_resnet import DlibResNet
from kinblend.inversion.losses import (
    feature_distance,
    head_weight,
    identity_distance,
    identity_features,
    picture_distance,
    resized,
)
from kinblend.inversion.whitening import Whitening
from kinblend.inversion_options import Weights

BETAS = (0.9, 0.95)  # of Adam
PATIENCE, STALLED = 15, 1e-3  # steps without so much progress, as a share of the loss, after which it ends


def refine(
    draw: Callable[[Tensor], Tensor],
    space: Whitening,
    network: DlibResNet,
    target: Tensor,
    code: Tensor,
    steps: int,
    progress: Callable[[int, float], bool | None] | None = None,
    weights: Weights = Weights(),
    *,
    coarse: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """The refined code [1, L, D], float32.

    draw: codes [1, L, D] → picture [1, 3, R, R], differentiable. target: float32 [1, 3, S, S] in [−1, 1], aligned.
    coarse: as `draw`, but of smaller pictures, which the first half of the steps compares at S / 2, in less time.
    code: where to begin, [1, L, D]. steps: of Adam. progress: told step and loss; by returning False it ends the
    work.
    """
    with torch.inference_mode(False), torch.enable_grad():
        target, code = target.clone(), code.clone().float()
        mean = code.mean(1)
        u = space.to_u(mean).requires_grad_()
        offsets = ((code - mean[:, None]) / space.spread).requires_grad_()
        side = target.shape[-1]
        stage = (
            _Stage(draw, target, network) if coarse is None else _Stage(coarse, resized(target, side // 2), network)
        )
        moments = [(torch.zeros_like(part), torch.zeros_like(part)) for part in (u, offsets)]
        best, waited, switch = float("inf"), 0, 0 if coarse is None else steps // 2 + 1
        for step in range(1, steps + 1):
            check_cancelled()
            if step == switch:
                stage, best, waited = _Stage(draw, target, network), float("inf"), 0
            loss = (
                stage.distance(space.codes(u, offsets), weights) + weights.offsets * offsets.square().mean((1, 2))
            ).sum()
            gradients = torch.autograd.grad(loss, (u, offsets))
            speed = pace(step, steps)
            for part, gradient, moment, rate in zip(
                (u, offsets), gradients, moments, (weights.rate, weights.offset_rate), strict=True
            ):
                adam_step(part, gradient, moment, step, rate * speed)
            with torch.no_grad():
                u.mul_(1 - weights.decay * speed)
            value = float(loss.detach())
            waited = 0 if value < best * (1 - STALLED) else waited + 1
            best = min(best, value)
            if waited >= PATIENCE and step < switch:
                switch = step + 1
            elif waited >= PATIENCE:
                break
            if progress is not None and progress(step, value) is False:
                break
        return space.codes(u, offsets).detach()


class _Stage:
    """A target as pictures of its size are compared with it."""

    def __init__(self, draw: Callable[[Tensor], Tensor], target: Tensor, network: DlibResNet) -> None:
        self.draw, self.target, self.network = draw, target, network
        self.where = head_weight(target.shape[-1]).to(target)
        with torch.no_grad():
            self.features = identity_features(network, target)

    def distance(self, codes: Tensor, weights: Weights) -> Tensor:
        """Of the pictures of codes, [n]."""
        pictures = resized(self.draw(codes).to(self.target), self.target.shape[-1])
        features = identity_features(self.network, pictures)
        return (
            weights.pixels * picture_distance(pictures, self.target, self.where)
            + weights.identity * identity_distance(features, self.features)
            + weights.features * feature_distance(features, self.features)
        )


def pace(step: int, steps: int) -> float:
    """The share of its rate that a step of so many has, from 1: it warms up over three and slows down over half."""
    return min(1.0, step / 3, (steps + 1 - step) / (0.5 * steps))


@torch.no_grad()
def adam_step(part: Tensor, gradient: Tensor, moments: tuple[Tensor, Tensor], step: int, rate: float) -> None:
    """One step of Adam (Kingma and Ba 2015). torch's own brings its compiler along, which takes a second to load."""
    mean, square = moments
    mean.lerp_(gradient, 1 - BETAS[0])
    square.lerp_(gradient.square(), 1 - BETAS[1])
    size = (square / (1 - BETAS[1] ** step)).sqrt() + 1e-8
    part -= rate * mean / (1 - BETAS[0] ** step) / size
