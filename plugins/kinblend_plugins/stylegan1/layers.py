"""The layers of StyleGAN, in plain PyTorch, with weights as they are used: nothing is scaled at run time.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks" (2019), section 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLUs
EPSILON = 1e-8  # added to the mean square of z
FUSED = 4  # side of a kernel that doubles the size by itself


@dataclass(frozen=True)
class Variant:
    """In what implementations of StyleGAN differ.

    epsilon: added to the variance where feature maps are normalized. blurs_bias: whether the bias of a layer that
        doubles the size is added before the blur, which darkens it at the edges, or after it.
    """

    epsilon: float = 1e-8
    blurs_bias: bool = False


class Dense(nn.Module):
    """A linear layer, [n, inputs] → [n, outputs], in float32: styles are few and decide much."""

    keep_float32 = ("weight", "bias")

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class StyledLayer(nn.Module):
    """Convolution, noise, leaky ReLU, normalization of each feature map, style: gain and shift of each map.

    inputs, outputs: channels. dim: of w. size: side of the output. kernel: side of the kernel; 0 for the first layer,
    which has none, `FUSED` for a transposed convolution. doubling: whether the input has half the size.
    """

    noise: Tensor
    keep_float32 = ("bias", "noise", "noise_strength")

    def __init__(
        self, inputs: int, outputs: int, dim: int, size: int, kernel: int, doubling: bool, variant: Variant
    ) -> None:
        super().__init__()
        self.size, self.kernel, self.doubling, self.variant = size, kernel, doubling, variant
        shape = (inputs, outputs) if kernel == FUSED else (outputs, inputs)
        self.weight = nn.Parameter(torch.zeros(*shape, kernel, kernel)) if kernel else None
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("noise", torch.zeros(size, size))
        self.style = Dense(dim, 2 * outputs)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """x [n, inputs, ·, ·] and w [n, D] → [n, outputs, size, size]. noise: [size, size], or None for none."""
        bias = self.bias[:, None, None]
        # Where the bias is blurred, it is so at the edges alone: elsewhere the kernel's sum of 1 keeps it.
        x = self._convolved(x, bias.to(x.dtype) if self.variant.blurs_bias and self.doubling else None)
        wide = x.float()
        if not (self.variant.blurs_bias and self.doubling):
            wide = wide + bias
        if noise is not None:
            wide = wide + noise * self.noise_strength[:, None, None]
        wide = F.instance_norm(F.leaky_relu(wide, SLOPE), eps=self.variant.epsilon)
        gain, shift = self.style(w)[:, :, None, None].chunk(2, dim=1)
        result: Tensor = (wide * gain + shift).to(x.dtype)
        return result

    def _convolved(self, x: Tensor, bias: Tensor | None) -> Tensor:
        if self.weight is None:
            return x
        if not self.doubling:
            return F.conv2d(x, self.weight, padding=1)
        if self.kernel == FUSED:
            x = F.conv_transpose2d(x, self.weight, stride=2, padding=1)
        else:
            x = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), self.weight, padding=1)
        return blur(x if bias is None else x + bias)


class ToRGB(nn.Module):
    """Channels → RGB: [n, inputs, H, W] → [n, 3, H, W]."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, self.bias)


def blur(x: Tensor) -> Tensor:
    """x [n, C, H, W] convolved with [1, 2, 1] ⊗ [1, 2, 1] / 16, zeros beyond the edges."""
    for shape in ((1, 1, 1, 3), (1, 1, 3, 1)):
        taps = x.new_tensor([0.25, 0.5, 0.25]).view(shape).expand(x.shape[1], 1, *shape[2:])
        x = F.conv2d(x, taps, padding=(shape[2] // 2, shape[3] // 2), groups=x.shape[1])
    return x


def normalize(z: Tensor) -> Tensor:
    """z [n, D] scaled to a mean square of 1."""
    return z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)
