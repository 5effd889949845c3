"""Face chips cut out of aligned pictures, differentiably."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.identity.network import CHIP

# Where dlib's chip (padding 0.25) lies in an FFHQ crop, in units of its side. Medians over 208 faces; the standard
# deviation of the centre is 0.01, of the side 0.02, of the angle 2 degrees.
CENTRE, SIDE = (0.504, 0.601), 0.687


def chips(pictures: Tensor) -> Tensor:
    """Chips of pictures in FFHQ geometry: float32 [n, 3, S, S] in [−1, 1] → [n, 3, 150, 150].

    All are cut at the same place, where FFHQ's alignment puts the face; dlib itself would turn each by its landmarks.
    """
    size = pictures.shape[-1]
    wanted = round(CHIP / SIDE)
    if size > wanted:
        pictures = F.interpolate(pictures, size=(wanted, wanted), mode="bilinear", antialias=True)
    steps = (torch.arange(CHIP, device=pictures.device, dtype=pictures.dtype) + 0.5) / CHIP - 0.5
    x, y = CENTRE[0] + steps * SIDE, CENTRE[1] + steps * SIDE
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1) * 2 - 1
    return F.grid_sample(pictures, grid.expand(len(pictures), -1, -1, -1), padding_mode="border", align_corners=False)
