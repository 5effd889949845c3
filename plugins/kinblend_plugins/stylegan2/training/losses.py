"""What is made small: adversarial, regularising and reconstruction losses, each of them a mean over the batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 8  # px of the coarsest scale that pixels are compared at


def discriminator_losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The discriminator's two, of real and of generated pictures: non-saturating logistic (Goodfellow et al., 2014).

    real, fake: its outputs [n, 1].
    """
    return F.softplus(-real).mean(), F.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """The generator's part of it."""
    return F.softplus(-fake).mean()


def r1(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Half the squared gradient on real pictures: Mescheder et al., "Which Training Methods for GANs do actually
    Converge?" (2018), equation 9; times gamma it is the penalty."""
    pictures = real.detach().requires_grad_()
    [gradient] = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean() / 2


def pixels(found: Tensor, wanted: Tensor) -> Tensor:
    """Absolute plus squared difference of pictures [n, 3, R, R], averaged over R and its halvings down to 8 px."""
    found, losses = found.float(), []
    while True:
        difference = found - wanted
        losses.append(difference.abs().mean() + difference.square().mean())
        if found.shape[-1] // 2 < SMALLEST:
            return torch.stack(losses).mean()
        found, wanted = F.avg_pool2d(found, 2), F.avg_pool2d(wanted, 2)


def offset_size(offsets: Tensor) -> Tensor:
    """Length of the steps from the first layer's code, summed over layers: Tov et al. (2021), equation 4.

    offsets: [n, L − 1, D].
    """
    result: Tensor = torch.linalg.vector_norm(offsets, dim=2).sum(dim=1).mean()
    return result


def path_lengths(pictures: Tensor, codes: Tensor, noise: Tensor) -> Tensor:
    """How far a picture moves for a step of its code: Karras et al. (2020), section 3.2. noise: as the pictures.

    Returns [n], differentiable.
    """
    scaled = (pictures * noise).sum() / math.sqrt(pictures.shape[2] * pictures.shape[3])
    [gradient] = torch.autograd.grad(scaled, codes, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).add(1e-12).sqrt()
