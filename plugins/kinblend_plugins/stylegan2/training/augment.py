"""Adaptive discriminator augmentation: Karras et al., "Training Generative Adversarial Networks with Limited Data"
(2020), sections 2 and 3 and appendix B; of its transformations flips, whole-pixel translations and those of colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.training.ranks import Share

SHIFT = 0.125  # of the side, at most
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # standard deviations; the latter two in powers of two


@dataclass
class Probability:
    """How often each transformation is applied, led by the signs of the discriminator's outputs on real faces.

    target: of the mean sign. images: faces in which it can rise from 0 to 1. every: updates between two moves.
    """

    target: float
    images: int
    every: int = 4
    value: float = 0.0
    mean: float = 0.0  # of the signs before the last move
    signs: float = 0.0
    seen: int = 0
    updates: int = 0

    def update(self, real: Tensor) -> None:
        """Take note of outputs on real faces [n, 1]; every fourth time, move."""
        self.signs += float(real.detach().sign().sum())
        self.seen += len(real)
        self.updates += 1
        if self.updates % self.every:
            return
        self.mean = self.signs / self.seen
        step = math.copysign(self.seen / self.images, self.mean - self.target) if self.mean != self.target else 0.0
        self.value = min(1.0, max(0.0, self.value + step))
        self.signs, self.seen = 0.0, 0


def augment(images: Tensor, probability: float, generator: torch.Generator, share: Share) -> Tensor:
    """Images [n, 3, H, W], each transformation applied to each with that probability; differentiable.

    generator: on the CPU. share: which rows of a batch they are; what is drawn is drawn for all of it. At a
    probability of 0 the images themselves.
    """
    if probability <= 0:
        return images
    count = share.total

    def chosen() -> Tensor:
        return torch.rand(count, generator=generator) < probability

    flip = chosen() & (torch.rand(count, generator=generator) < 0.5)
    flip = share.take(flip).to(images.device)
    moved = torch.where(flip[:, None, None, None], images.flip(3), images)
    most = round(SHIFT * images.shape[-1])
    shifts = torch.randint(-most, most + 1, (count, 2), generator=generator) * chosen()[:, None]
    matrices, offsets = colours(count, chosen, generator)
    return recolour(translate(moved, share.take(shifts).tolist()), share.take(matrices), share.take(offsets))


def translate(images: Tensor, shifts: list[list[int]]) -> Tensor:
    """Each image moved by (down, right) whole pixels; what comes in is reflected."""
    most = max(abs(value) for pair in shifts for value in pair)
    if most == 0:
        return images
    height, width = images.shape[-2:]
    padded = F.pad(images, (most, most, most, most), mode="reflect")
    return torch.stack(
        [
            image[:, most - down : most - down + height, most - right : most - right + width]
            for image, (down, right) in zip(padded, shifts, strict=True)
        ]
    )


def colours(count: int, chosen: Callable[[], Tensor], generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Matrices [n, 3, 3] and offsets [n, 3] of random colour changes: brightness, contrast, hue, saturation.

    chosen: draws which of the images change.
    """

    def normal(spread: float) -> Tensor:
        return torch.randn(count, generator=generator) * spread * chosen()

    offset = normal(BRIGHTNESS)
    contrast, saturation = 2 ** normal(CONTRAST), 2 ** normal(SATURATION)
    angle = (torch.rand(count, generator=generator) * 2 - 1) * math.pi * chosen()
    grey = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    # A turn about the grey axis (Rodrigues), then the distance from it scaled.
    turn = grey + (torch.eye(3) - grey) * cosine + cross * sine
    stretch = grey + (torch.eye(3) - grey) * saturation[:, None, None]
    return stretch @ turn * contrast[:, None, None], (offset * contrast)[:, None].expand(-1, 3)


def recolour(images: Tensor, matrices: Tensor, offsets: Tensor) -> Tensor:
    """matrix · colour + offset for each pixel, in float32."""
    with torch.autocast(images.device.type, enabled=False):
        floats, matrices, offsets = images.float(), matrices.to(images.device), offsets.to(images.device)
        return torch.einsum("nij,njhw->nihw", matrices, floats) + offsets[:, :, None, None]
