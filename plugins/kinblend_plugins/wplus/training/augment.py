"""What photographs have and rendered pictures don't: other cameras, light, sizes, and hands before faces."""

from __future__ import annotations

import io
import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from kinblend.imaging import decode_image

TURN, SHIFT, ZOOM = 2.5, 0.015, 0.03  # degrees, shares of the side: how far alignments are off
SMALLEST = 48  # px of the smallest photograph
QUALITY = (25, 90)  # of JPEG files


def augment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures float32 [n, 3, S, S] in [−1, 1], each as another camera might have taken it: the same shape, in [−1,
    1].

    generator: on the CPU; everything random is drawn from it.
    """
    moved = _recolour(_move(pictures, generator), generator)
    return torch.stack([_degrade(picture, generator) for picture in moved]).clamp(-1, 1)


def _uniform(generator: torch.Generator, low: float, high: float, count: int = 1) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _move(pictures: Tensor, generator: torch.Generator) -> Tensor:
    count = len(pictures)
    angle = torch.randn(count, generator=generator) * math.radians(TURN)
    zoom = 1 + torch.randn(count, generator=generator) * ZOOM
    shift = torch.randn(count, 2, generator=generator) * SHIFT * 2
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    matrix = torch.cat([turn * zoom[:, None, None], shift[:, :, None]], 2)
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def _recolour(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Exposure, contrast, gamma, saturation and the colour of the light."""
    count = len(pictures)

    def normal(spread: float, channels: int = 1) -> Tensor:
        return (torch.randn(count, channels, generator=generator) * spread)[:, :, None, None]

    x = (pictures.clamp(-1, 1) + 1) / 2
    x = x.clamp_min(1e-4) ** torch.exp(normal(0.12))
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * torch.exp(normal(0.12))
    x = (x - 0.5) * torch.exp(normal(0.08)) + 0.5
    return (x * torch.exp(normal(0.06) + normal(0.025, 3))) * 2 - 1


def _degrade(picture: Tensor, generator: torch.Generator) -> Tensor:
    """Of one picture [3, S, S]: smaller, noisy, compressed, covered, each now and then."""
    chance = torch.rand(4, generator=generator)
    if chance[0] < 0.6:
        picture = _smaller(picture, float(_uniform(generator, math.log(SMALLEST), math.log(picture.shape[-1])).exp()))
    if chance[1] < 0.3:
        picture = picture + torch.randn(picture.shape, generator=generator) * _uniform(generator, 0, 0.08)
    if chance[2] < 0.3:
        picture = _jpeg(picture, int(_uniform(generator, *QUALITY)))
    return _covered(picture, generator) if chance[3] < 0.12 else picture


def _smaller(picture: Tensor, side: float) -> Tensor:
    small = F.interpolate(picture[None], size=(round(side),) * 2, mode="bilinear", antialias=True)
    return F.interpolate(small, size=picture.shape[-2:], mode="bicubic", align_corners=False)[0]


def _jpeg(picture: Tensor, quality: int) -> Tensor:
    values = ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=quality)
    decoded = np.asarray(decode_image(file.getvalue()))
    return torch.from_numpy(decoded.copy()).permute(2, 0, 1).float() / 127.5 - 1


def _covered(picture: Tensor, generator: torch.Generator) -> Tensor:
    """A plain rectangle over a part of it."""
    side = picture.shape[-1]
    height, width = (int(value) for value in _uniform(generator, 0.1, 0.35, 2) * side)
    top, left = (
        int(value) for value in torch.rand(2, generator=generator) * torch.tensor([side - height, side - width])
    )
    covered = picture.clone()
    covered[:, top : top + height, left : left + width] = _uniform(generator, -1, 1, 3)[:, None, None]
    return covered
