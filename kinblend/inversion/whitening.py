"""The space that codes of samples lie in: nearly Gaussian, once the mapping network's last leaky ReLU is undone.

Wulff and Torralba, "Improving Inversion and Generation Diversity in StyleGAN using a Gaussianized Latent Space"
(2020).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE = 0.2  # of the mapping network's leaky ReLUs, in StyleGAN2 and what is distilled from it
RIDGE = 1e-3  # added to the covariance, so that directions without variance are not blown up


def undone(w: Tensor, slope: float = SLOPE) -> Tensor:
    """Codes before the mapping network's last leaky ReLU, up to a factor."""
    return torch.where(w < 0, w / slope, w)


def redone(v: Tensor, slope: float = SLOPE) -> Tensor:
    """And back."""
    return torch.where(v < 0, v * slope, v)


class Whitening(nn.Module):
    """w ↔ whitened codes u, of which samples have mean 0 and covariance 1.

    w: float32 [n, D] samples to measure. Without them, a module to be filled by `load_state_dict`.
    """

    keep_float32 = ("centre", "colour", "spread")
    centre: Tensor
    colour: Tensor
    spread: Tensor

    def __init__(self, dim: int, w: Tensor | None = None) -> None:
        super().__init__()
        # On the meta device torch.eye would import the compiler, which takes two seconds.
        centre, colour, spread = torch.zeros(dim), torch.zeros(dim, dim).fill_diagonal_(1), torch.ones(dim)
        if w is not None:
            v = undone(w.double())
            centre = v.mean(0)
            covariance = torch.cov(v.T) + RIDGE * torch.eye(dim, dtype=torch.double)
            colour = torch.linalg.cholesky(covariance).T
            centre, colour, spread = centre.float(), colour.float(), w.std(0)
        self.register_buffer("centre", centre)
        self.register_buffer("colour", colour)  # u @ colour + centre is v
        self.register_buffer("spread", spread)  # standard deviation of w

    def to_w(self, u: Tensor) -> Tensor:
        """[..., D] → [..., D]."""
        return redone(u @ self.colour + self.centre)

    def to_u(self, w: Tensor) -> Tensor:
        """[..., D] → [..., D]."""
        v = (undone(w) - self.centre).flatten(0, -2)
        u: Tensor = torch.linalg.solve_triangular(self.colour, v, upper=True, left=False)
        return u.view(w.shape)

    def codes(self, u: Tensor, offsets: Tensor) -> Tensor:
        """W+ codes [n, L, D] of whitened codes [n, D] and offsets [n, L, D] in standard deviations of w."""
        return self.to_w(u)[:, None] + offsets * self.spread
