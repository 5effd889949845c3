"""Face chips cut out of aligned pictures, differentiably."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.identity.dlib_resnet import CHIP

# Where dlib's chip (padding 0.25) lies in an FFHQ crop, in units of its side. Medians over 208 faces; the standard
# deviation of the centre is 0.01, of the side 0.02, of the angle 2 degrees.
CENTRE, SIDE = (0.504, 0.601), 0.687


def chips(pictures: Tensor) -> Tensor:
    """Chips of pictures in FFHQ geometry: float32 [n, 3, S, S] in [−1, 1] → [n, 3, 150, 150].

    All are cut at the same place, where FFHQ's alignment puts the face; dlib itself would turn each by its landmarks.
    """
    steps = _centres(CHIP, pictures) - 0.5
    return _sample(pictures, round(CHIP / SIDE), CENTRE[0] + steps * SIDE, CENTRE[1] + steps * SIDE)


def cut(pictures: Tensor, box: tuple[float, float, float, float], height: int, width: int) -> Tensor:
    """A box of pictures, float32 [n, 3, S, S] → [n, 3, height, width].

    box: left, top, right, bottom in units of S.
    """
    left, top, right, bottom = box
    x = left + _centres(width, pictures) * (right - left)
    y = top + _centres(height, pictures) * (bottom - top)
    return _sample(pictures, round(width / (right - left)), x, y)


def _centres(count: int, like: Tensor) -> Tensor:
    """Where so many pixels lie side by side between 0 and 1."""
    return (torch.arange(count, device=like.device, dtype=like.dtype) + 0.5) / count


def _sample(pictures: Tensor, enough: int, x: Tensor, y: Tensor) -> Tensor:
    """Pictures at columns x [W] and rows y [H] in units of their side; made no larger than `enough` first."""
    if pictures.shape[-1] > enough:
        pictures = F.interpolate(pictures, size=(enough, enough), mode="bilinear", antialias=True)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1) * 2 - 1
    return F.grid_sample(pictures, grid.expand(len(pictures), -1, -1, -1), padding_mode="border", align_corners=False)
