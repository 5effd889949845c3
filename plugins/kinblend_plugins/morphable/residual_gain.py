"""How strong the residual texture is at each part of a face, as its code lets expect.

Old faces have wrinkles, men's have stubble, children's have neither; most of that is residual. When an edit moves a
code, the residual is made stronger or weaker by as much as the expectation changes. Averaged faces are too smooth for
their age for the same reason (Tiddeman, Burt and Perrett 2001, "Prototyping and Transforming Facial Textures").
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

PLACES = 28  # of the frame's side
RANK = 24
RIDGE = 300.0
LEAST, MOST = 0.15, 1.8  # what a residual is multiplied by at the extremes
FADING = 1.6  # what is left of a wrinkle or a smile's line where it should be gone shows more than one that lacks


def amplitudes(residuals: Tensor) -> Tensor:
    """The logarithm of a residual's strength: float32 [n, 3, S, S] → [n, PLACES·PLACES]."""
    power = F.adaptive_avg_pool2d(residuals.square().mean(1, keepdim=True), PLACES)
    return power.clamp_min(1e-6).log().flatten(1) / 2


def fit(codes: Tensor, logs: Tensor) -> dict[str, Tensor]:
    """`reader` float32 [RANK, L, D] and `maps` float32 [RANK, PLACES, PLACES]: their product with a code is the
    logarithm to expect. codes: [n, L, D]. logs: [n, PLACES·PLACES], as `amplitudes` gives them."""
    x, y = codes.flatten(1).double(), logs.double()
    x, y = x - x.mean(0), y - y.mean(0)
    weights = torch.linalg.solve(x.T @ x + RIDGE * torch.eye(x.shape[1]).to(x), x.T @ y)
    left, values, right = torch.linalg.svd(weights, full_matrices=False)
    reader = (left[:, :RANK] * values[:RANK]).T.reshape(-1, *codes.shape[1:])
    return {
        "reader": reader.float().contiguous(),
        "maps": right[:RANK].reshape(-1, PLACES, PLACES).float().contiguous(),
    }


class ResidualGain:
    """tensors: as `fit` gives them."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.reader, self.maps = tensors["reader"], tensors["maps"]

    @classmethod
    def load(cls, path: Path) -> ResidualGain:
        """From `detail.safetensors`."""
        from kinblend.tensor_files import load_file

        return cls(load_file(path))

    def gain(self, before: Tensor, after: Tensor, size: int) -> Tensor:
        """What to multiply a residual by when a code [L, D] has become another: [1, size, size]."""
        change = torch.einsum("rld,ld->r", self.reader, after - before)
        logs = torch.einsum("r,rij->ij", change, self.maps)[None, None]
        logs = torch.where(logs < 0, FADING * logs, logs)
        return F.interpolate(logs.exp().clamp(LEAST, MOST), size=size, mode="bilinear")[0]
