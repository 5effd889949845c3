"""The layers of StyleGAN2, in plain PyTorch.

After Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020). Weights are stored at unit
variance and scaled at run time, as in the published checkpoints.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinblend_plugins.stylegan2 import winograd

MAPPING_RATE = 0.01  # the learning-rate multiplier that published mapping networks were trained with
EPSILON = 1e-8


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2 that keeps the variance: gain √2."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def normalize(z: Tensor) -> Tensor:
    """z [n, D] scaled to a mean square of 1."""
    return z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)


def binomial_kernel(like: Tensor) -> Tensor:
    """The low-pass kernel [1, 3, 3, 1] ⊗ [1, 3, 3, 1], [4, 4] of sum 4: the gain that doubling the size needs."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=like.device, dtype=like.dtype) / 4
    return torch.outer(taps, taps)


def per_channel(x: Tensor) -> Tensor:
    """The low-pass kernel once for each channel of x [n, C, H, W]: [C, 1, 4, 4]."""
    return binomial_kernel(x).expand(x.shape[1], 1, 4, 4)


def blur(x: Tensor) -> Tensor:
    """[n, C, 2H + 1, 2W + 1], fresh from a transposed convolution → [n, C, 2H, 2W]."""
    return low_pass(x, 1.0, padding=1)


def low_pass(x: Tensor, gain: float, padding: int, stride: int = 1) -> Tensor:
    """x [n, C, H, W] convolved with the low-pass kernel times `gain`, in the dtype of x."""
    with torch.autocast(x.device.type, enabled=False):
        # On the CPU the gradient of a channel-wise convolution is eight times slower in bfloat16 than in float32.
        wide = x.float() if x.device.type == "cpu" else x
        return F.conv2d(wide, per_channel(wide) * gain, None, stride, padding, groups=x.shape[1]).to(x.dtype)


def upsample(x: Tensor) -> Tensor:
    """[n, C, H, W] → [n, C, 2H, 2W], in the dtype of x: sums of pictures must not be rounded by autocast."""
    with torch.autocast(x.device.type, enabled=False):
        return F.conv_transpose2d(x, per_channel(x), stride=2, padding=1, groups=x.shape[1])


class Dense(nn.Module):
    """A linear layer: weight float32 [outputs, inputs], bias float32 [outputs], both scaled by `rate`.

    It stays in float32 when a device pool runs the network in half precision: what it makes are styles, which are
    few and decide much.
    """

    keep_float32 = ("weight", "bias")

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight * self.scale, self.bias * self.rate)


class ModulatedConv(nn.Module):
    """A convolution whose input channels a style scales: w [n, D] → style [n, inputs] by `affine`.

    clamp: the most that a value of the output may be, either way; None for no limit.
    """

    clamp: float | None = None
    energy: Tensor | None  # [outputs, inputs], kept where the weights won't change
    keep_float32: tuple[str, ...] = ("bias", "energy")

    def __init__(self, inputs: int, outputs: int, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("energy", None, persistent=False)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.affine = Dense(dim, inputs)
        nn.init.ones_(self.affine.bias)
        self.scale = 1 / math.sqrt(inputs * size * size)

    def demodulation(self, style: Tensor) -> Tensor:
        """What brings each output channel back to unit variance: [n, outputs, 1, 1]; computed in float32."""
        with torch.autocast(style.device.type, enabled=False):
            squared = (style.float() * self.scale).square()
            return torch.rsqrt(squared @ self.energies().T + EPSILON)[:, :, None, None]

    def energies(self) -> Tensor:
        """The squared weights, summed over the kernel: float32 [outputs, inputs]."""
        return self.weight.float().square().sum(dim=(2, 3)) if self.energy is None else self.energy

    def freeze(self) -> None:
        """Prepare for being asked often: the weights won't change until this is called again."""
        self.energy = None
        self.energy = self.energies().detach()
        self.weight.data = self.weight.data.contiguous(memory_format=torch.channels_last)

    def clamped(self, x: Tensor) -> Tensor:
        """x within ±`clamp`."""
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class StyledConv(ModulatedConv):
    """Modulated 3 × 3 convolution, noise, bias, leaky ReLU.

    inputs, outputs: channels. dim: of w. size: side of the output; doubling: whether the input has half of it.
    """

    noise: Tensor
    keep_float32 = ("bias", "energy", "noise", "noise_strength")

    def __init__(self, inputs: int, outputs: int, dim: int, size: int, doubling: bool) -> None:
        super().__init__(inputs, outputs, 3, dim)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(size, size))
        self.size, self.doubling = size, doubling
        self.may_widen = True  # into weights of four times the memory, where that is faster
        self._wide: Tensor | None = None

    def forward(self, x: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        """x [n, inputs, ·, ·] and w [n, D] → [n, outputs, size, size].

        noise: [size, size] for all, [n, 1, size, size] for each its own, or None for none.
        """
        style = self.affine(w)
        # Scaling the activations instead of the weights lets one convolution serve the whole batch.
        x, weight = x * style[:, :, None, None].to(x.dtype), self.weight * self.scale
        if self.doubling:
            x = blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            x = F.conv2d(x, weight, padding=1)
        x = x * self.demodulation(style).to(x.dtype)
        if noise is not None:
            x = x + (noise * self.noise_strength).to(x.dtype)
        return self.clamped(leaky(x + self.bias.to(x.dtype)[:, None, None]))

    def wide_weight(self) -> Tensor:
        """The weights as `winograd.convolve` takes them; made once, when they are first asked for."""
        if self._wide is None:
            with torch.inference_mode(False):
                self._wide = winograd.transformed(self.weight.detach())
        return self._wide

    def weight_cache_bytes(self, device: str, dtype: torch.dtype) -> int:
        """What `wide_weight` takes there, for the device pool; 0 where it isn't asked for."""
        asked = not self.doubling and self.energy is not None and winograd.suit(self.weight, device, dtype, self.size)
        return winograd.GROWTH * self.weight.numel() * dtype.itemsize if asked else 0

    def allow_weight_cache(self, allowed: bool) -> None:
        """Whether to keep wide weights; if not, those there are go."""
        self.may_widen = allowed
        if not allowed:
            self._wide = None

    def freeze(self) -> None:
        """As `ModulatedConv.freeze`; a transposed convolution reads its weights inputs first."""
        super().freeze()
        self._wide = None
        if self.doubling:
            self.weight.data = self.weight.data.transpose(0, 1).contiguous().transpose(0, 1)


class ToRGB(ModulatedConv):
    """Modulated 1 × 1 convolution to RGB, not demodulated."""

    def __init__(self, inputs: int, dim: int) -> None:
        super().__init__(inputs, 3, 1, dim)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [n, inputs, H, W] and w [n, D] → [n, 3, H, W]."""
        x = F.conv2d(x * self.affine(w)[:, :, None, None].to(x.dtype), self.weight * self.scale)
        return self.clamped(x + self.bias[:, None, None])
