"""The network that says where a face is covered, on features of dlib's identity network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FINE, COARSE, WIDTH, MAPS, CELLS = 134, 128, 48, 3, 17


class CoverNetwork(nn.Module):
    """Features of chips → logits of three maps: covered, a lid over an eye, a tongue."""

    fine_mean: Tensor
    fine_scale: Tensor
    coarse_mean: Tensor
    coarse_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(FINE + COARSE + 2, WIDTH, 1)
        self.whole = nn.Linear(COARSE, WIDTH)  # all of the face, for comparison
        self.around = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.maps = nn.Conv2d(WIDTH, MAPS, 1)
        for name, size in (("fine", FINE), ("coarse", COARSE)):
            self.register_buffer(f"{name}_mean", torch.zeros(size, 1, 1))
            self.register_buffer(f"{name}_scale", torch.ones(size, 1, 1))

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """fine: float32 [n, 134, 17, 17]; coarse: float32 [n, 128, 8, 8] → logits [n, 3, 17, 17]."""
        fine = (fine - self.fine_mean) / self.fine_scale
        coarse = (coarse - self.coarse_mean) / self.coarse_scale
        line = torch.linspace(-1, 1, CELLS, device=fine.device, dtype=fine.dtype)
        place = torch.stack(torch.meshgrid(line, line, indexing="xy")).expand(len(fine), -1, -1, -1)
        large = F.interpolate(coarse, size=(CELLS, CELLS), mode="bilinear", align_corners=False)
        mixed = self.mix(torch.cat([fine, large, place], dim=1)) + self.whole(coarse.mean((2, 3)))[:, :, None, None]
        maps: Tensor = self.maps(F.relu(self.around(F.relu(mixed))))
        return maps
