"""How alike two pictures are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Wang, Simoncelli and Bovik (2003), "Multiscale Structural Similarity for Image Quality Assessment".
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
# An ellipse inside the face of an FFHQ crop: centre and half axes, as shares of its side.
FACE = (0.5, 0.6, 0.21, 0.27)


def psnr(one: Tensor, other: Tensor, where: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB: float32 [n]. Pictures [n, 3, H, W] in [0, 1].

    where: weights [n, 1, H, W] of the pixels that count; all by default.
    """
    error = (one - other).square().mean(1, keepdim=True)
    weight = torch.ones_like(error) if where is None else where
    mean = (error * weight).sum((1, 2, 3)) / weight.sum((1, 2, 3)).clamp_min(1e-9)
    return -10 * mean.clamp_min(1e-12).log10()


def ms_ssim(one: Tensor, other: Tensor) -> Tensor:
    """Multi-scale structural similarity over five scales: float32 [n].

    Pictures [n, 3, H, W] in [0, 1], H and W at least 176.
    """
    result = one.new_ones(len(one))
    for scale, weight in enumerate(WEIGHTS):
        light, structure = _ssim(one, other)
        last = scale == len(WEIGHTS) - 1
        result = result * (light * structure if last else structure).mean((1, 2, 3)).clamp_min(1e-6) ** weight
        one, other = F.avg_pool2d(one, 2), F.avg_pool2d(other, 2)
    return result


def _ssim(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Similarity of the light, and of contrast and structure, round each pixel."""
    a, b = _blurred(one), _blurred(other)
    variance_a, variance_b = _blurred(one * one) - a * a, _blurred(other * other) - b * b
    shared = _blurred(one * other) - a * b
    return (2 * a * b + C1) / (a * a + b * b + C1), (2 * shared + C2) / (variance_a + variance_b + C2)


def _blurred(pictures: Tensor) -> Tensor:
    at = torch.arange(WINDOW, dtype=pictures.dtype) - WINDOW // 2
    line = (-(at**2) / (2 * DEVIATION**2)).exp()
    line = (line / line.sum()).expand(3, 1, 1, -1)
    return F.conv2d(F.conv2d(pictures, line, groups=3), line.mT, groups=3)


def inside_face(size: int) -> Tensor:
    """Which pixels of a picture in FFHQ geometry lie inside the face: float32 [1, 1, size, size], 0 or 1."""
    across, down, wide, high = FACE
    steps = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return ((((x - across) / wide).square() + ((y - down) / high).square()) <= 1).float()[None, None]
