"""The layers of MobileStyleGAN.

Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis" (2021),
sections 3.1 (wavelets), 3.2 (depthwise-separable modulated convolutions) and 3.3 (demodulation fused into weights).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLUs, for negative values
BANDS = 4  # of a wavelet: the picture at half its size, and its vertical, horizontal and diagonal detail


class Exact(nn.Linear):
    """A linear layer whose weights half precision does not round."""

    keep_float32 = ("weight", "bias")


class Mapping(nn.Module):
    """z → w, both float32 [n, D]: StyleGAN2's mapping network, its learning rates and gains folded into the weights.

    Its codes are kept and edited, so half precision leaves it alone; it takes no time beside a picture.
    """

    def __init__(self, dim: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Exact(dim, dim) for _ in range(depth))

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = F.leaky_relu(layer(x), SLOPE) * 2**0.5
        return x


class Modulation(nn.Linear):
    """Styles of codes: [n, D] → [n, channels, 1, 1], which multiply the channels of a feature map."""

    def forward(self, w: Tensor) -> Tensor:
        return super().forward(w)[:, :, None, None]


class Convolution(nn.Module):
    """The first layer's: modulated 3 × 3 convolution, noise, bias, leaky ReLU."""

    def __init__(self, channels: int, dim: int, size: int) -> None:
        super().__init__()
        self.modulation = Modulation(dim, channels)
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.noise = nn.Parameter(torch.empty(size, size))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor, w: Tensor, noise: bool) -> Tensor:
        return activate(F.conv2d(x * self.modulation(w), self.weight, self.bias, padding=1), self.noise, noise)


class SeparableConvolution(nn.Module):
    """Modulated depthwise 3 × 3, then pointwise convolution, noise, bias, leaky ReLU."""

    def __init__(self, inputs: int, outputs: int, dim: int, size: int) -> None:
        super().__init__()
        self.modulation = Modulation(dim, inputs)
        self.depthwise = nn.Parameter(torch.empty(inputs, 1, 3, 3))
        self.pointwise = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        self.noise = nn.Parameter(torch.empty(size, size))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor, w: Tensor, noise: bool) -> Tensor:
        x = F.conv2d(x * self.modulation(w), self.depthwise, padding=1, groups=len(self.depthwise))
        return activate(F.conv2d(x, self.pointwise, self.bias), self.noise, noise)


class Level(nn.Module):
    """Twice the size: an inverse wavelet transform of modulated channels, then two convolutions.

    inputs, outputs: channels. size: of its feature maps, in pixels.
    """

    def __init__(self, inputs: int, outputs: int, dim: int, size: int) -> None:
        super().__init__()
        self.modulation = Modulation(dim, inputs)
        self.first = SeparableConvolution(inputs // BANDS, outputs, dim, size)
        self.second = SeparableConvolution(outputs, outputs, dim, size)

    def forward(self, x: Tensor, codes: Tensor, noise: bool) -> Tensor:
        """x: [n, inputs, H, H]. codes: [n, 3, D]. Returns [n, outputs, 2 H, 2 H]."""
        x = inverse_haar(x * self.modulation(codes[:, 0]))
        return self.second(self.first(x, codes[:, 1], noise), codes[:, 2], noise)


class ToPicture(nn.Module):
    """A feature map as a picture of twice its size: modulated pointwise convolution, inverse wavelet transform.

    grows: whether it ends in the wavelet; without it the picture has the size of the feature map.
    """

    def __init__(self, channels: int, dim: int, grows: bool = True) -> None:
        super().__init__()
        self.grows = grows
        self.modulation = Modulation(dim, channels)
        self.weight = nn.Parameter(torch.empty(3 * (BANDS if grows else 1), channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(3 * (BANDS if grows else 1)))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = F.conv2d(x * self.modulation(w), self.weight, self.bias).float()
        return inverse_haar(x) if self.grows else x


def activate(x: Tensor, noise: Tensor, noisy: bool) -> Tensor:
    """Noise, where it is wanted, and leaky ReLU."""
    return F.leaky_relu(x + noise if noisy else x, SLOPE)


def inverse_haar(x: Tensor) -> Tensor:
    """Feature maps of twice the size: [n, 4 C, H, W] → [n, C, 2 H, 2 W].

    The bands lie one after the other: C channels of the halved picture, of its detail from top to bottom, from left
    to right and of the diagonal one. Haar 1910, orthonormal.
    """
    average, down, across, diagonal = (x * 0.5).chunk(BANDS, 1)
    even = torch.stack([average + down, average - down], 3)  # what the columns of a pair share
    odd = torch.stack([across + diagonal, across - diagonal], 3)  # and in what they differ
    return torch.stack([even + odd, even - odd], 5).flatten(2, 3).flatten(3, 4)
