"""What discriminator and encoder are made of: convolutions and halving blocks at an equalised learning rate.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 4.1 and figure 7 (the residual
discriminator); the equalised learning rate is that of Karras et al., "Progressive Growing of GANs" (2018),
section 4.1.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinblend_plugins.stylegan2.layers import leaky, low_pass


class Conv(nn.Module):
    """A convolution whose weight is stored at unit variance: [n, inputs, H, W] → [n, outputs, ·, ·].

    size: of the kernel. stride, padding: as torch's. biased: whether it has a bias.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, padding: int = 0, biased: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if biased else None
        self.scale, self.stride, self.padding = 1 / math.sqrt(inputs * size * size), stride, padding

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


class Halving(nn.Module):
    """A residual block: [n, inputs, H, W] → [n, outputs, H/2, W/2], low-passed before every second pixel is left."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = Conv(inputs, inputs, 3, padding=1)
        self.second = Conv(inputs, outputs, 3, stride=2)
        self.skip = Conv(inputs, outputs, 1, biased=False)

    def forward(self, x: Tensor) -> Tensor:
        short = self.skip(low_pass(x, 0.25, padding=1, stride=2))
        result: Tensor = (leaky(self.second(low_pass(leaky(self.first(x)), 0.25, padding=2))) + short) / math.sqrt(2)
        return result
