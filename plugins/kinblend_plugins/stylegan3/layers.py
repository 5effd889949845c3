"""The layers of StyleGAN3, in plain PyTorch and in float32, with weights as they are used.

Karras et al., "Alias-Free Generative Adversarial Networks" (2021), section 3 and appendices C, D and F.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-8
SLOPE, GAIN = 0.2, math.sqrt(2)  # of the leaky ReLUs; the gain keeps the variance
CHANNELS = 16  # that are filtered at once where no gradient is asked for: the fine maps between take memory


class Dense(nn.Module):
    """A linear layer, [n, inputs] → [n, outputs]."""

    keep_float32 = ("weight", "bias")

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class FourierInput(nn.Module):
    """Waves in the plane, which w turns and shifts, mixed into channels: w [n, D] → [n, channels, size, size].

    rate: pixels per picture. bandwidth: of the frequencies before `transform`, in cycles per picture.
    """

    frequencies: Tensor
    phases: Tensor
    transform: Tensor
    keep_float32 = ("weight", "frequencies", "phases", "transform")

    def __init__(self, dim: int, channels: int, size: int, rate: int, bandwidth: float) -> None:
        super().__init__()
        self.size, self.rate, self.bandwidth = size, rate, bandwidth
        self.affine = Dense(dim, 4)
        self.weight = nn.Parameter(torch.zeros(channels, channels))
        self.register_buffer("frequencies", torch.zeros(channels, 2))  # across and down
        self.register_buffer("phases", torch.zeros(channels))  # in turns
        self.register_buffer("transform", torch.zeros(3, 3))  # the inverse of one of the picture

    def forward(self, w: Tensor) -> Tensor:
        moved = self._placement(w)
        phases = self.phases + (self.frequencies @ moved[:, :2, 2:])[..., 0]
        waves = self.frequencies @ moved[:, :2, :2]
        # Waves that a transform brings beyond what the pixels can hold fade out.
        beyond = (waves.norm(dim=2) - self.bandwidth) / (self.rate / 2 - self.bandwidth)
        places = (torch.arange(self.size, device=w.device, dtype=w.dtype) + 0.5 - self.size / 2) / self.rate
        across = (waves[..., :1] * places)[:, :, None, :]
        down = (waves[..., 1:] * places)[:, :, :, None]
        features = torch.sin(2 * math.pi * (across + down + phases[:, :, None, None]))
        features = features * (1 - beyond).clamp(0, 1)[:, :, None, None]
        return F.conv2d(features, self.weight[:, :, None, None])

    def _placement(self, w: Tensor) -> Tensor:
        """The inverse of how the picture is turned and then shifted, [n, 3, 3]."""
        given = self.affine(w)
        cosine, sine, right, below = (given / given[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
        turn = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, one], 1).view(-1, 3, 3)
        shift = torch.stack([one, zero, -right, zero, one, -below, zero, zero, one], 1).view(-1, 3, 3)
        return turn @ shift @ self.transform


class FilteredLayer(nn.Module):
    """Modulated convolution, then a leaky ReLU between up- and downsampling; the last layer has neither filter nor
    leaky ReLU, and is not demodulated.

    inputs, outputs: channels. size: of the kernel. before, after: sides of input and output, in pixels.
    up, down: factors. taps: of the filters, 0 for none. radial: whether the downsampling filter is two-dimensional.
    """

    gain: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None
    keep_float32 = ("weight", "bias", "gain", "up_filter", "down_filter")

    def __init__(
        self,
        dim: int,
        inputs: int,
        outputs: int,
        size: int,
        *,
        before: int,
        after: int,
        up: int,
        down: int,
        taps: tuple[int, int],
        radial: bool,
        last: bool,
        clamp: float | None,
    ) -> None:
        super().__init__()
        self.up, self.down, self.last, self.clamp = up, down, last, clamp
        self.affine = Dense(dim, inputs)
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.register_buffer("gain", torch.zeros(()))
        self.register_buffer("up_filter", torch.zeros(taps[0]) if taps[0] else None)
        down_shape = (taps[1], taps[1]) if radial else (taps[1],)
        self.register_buffer("down_filter", torch.zeros(down_shape) if taps[1] else None)
        # Zeros around the finely sampled map, of which negative numbers cut off: so that `after` pixels come out, and
        # the middle stays where it is (appendix C.3).
        fine = (after - 1) * down + 1 + max(taps[0], 1) + max(taps[1], 1) - 2
        total = fine - (before + size - 1) * up
        self.padding = (total + up) // 2, total - (total + up) // 2

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """x [n, inputs, ·, ·] and w [n, D] → [n, outputs, ·, ·]."""
        style = self.affine(w)
        if self.last:
            factor = self.gain.expand(len(x), 1)
        else:
            # Each code by itself: the original takes the mean over a batch, which the demodulation undoes.
            style = style * torch.rsqrt(style.square().mean(dim=1, keepdim=True))
            energy = self.weight.square().sum(dim=(2, 3))
            factor = self.gain * torch.rsqrt(style.square() @ energy.T + EPSILON)
        x = F.conv2d(x * style[:, :, None, None], self.weight, padding=self.weight.shape[-1] - 1)
        x = x * factor[:, :, None, None] + self.bias[:, None, None]
        if torch.is_grad_enabled() and x.requires_grad:
            return self._resampled(x)
        return torch.cat([self._resampled(part) for part in x.split(CHANNELS, dim=1)], dim=1)

    def _resampled(self, x: Tensor) -> Tensor:
        """What is between convolutions, of some channels: [n, C, ·, ·] → [n, C, after, after]."""
        free = not x.requires_grad  # to be overwritten: the maps between are large
        x = upsample(x, self.up_filter, self.up, self.padding, 1.0 if self.last else GAIN)
        if not self.last:
            x = F.leaky_relu(x, SLOPE, inplace=free)
        if self.clamp is not None:
            x = x.clamp_(-self.clamp, self.clamp) if free else x.clamp(-self.clamp, self.clamp)
        if self.down_filter is None:
            return x
        return F.conv2d(x, per_channel(self.down_filter, x).flip(2, 3), stride=self.down, groups=x.shape[1])


def upsample(x: Tensor, taps: Tensor | None, factor: int, padding: tuple[int, int], gain: float = 1.0) -> Tensor:
    """x [n, C, H, H] with zeros between its pixels and around them, filtered, `gain` times as bright.

    padding: zeros before and after, or pixels to cut off where negative, counted on the finer grid. Of the result,
    only what the filter covers wholly is kept. It shares no memory with x.
    """
    if taps is None:
        return F.pad(x * gain, [*padding, *padding])
    length, size = len(taps), x.shape[-1]
    whole = (size - 1) * factor + length  # what a transposed convolution gives
    before = length - 1 - padding[0]
    after = whole - before - (size * factor + sum(padding) - length + 1)
    cut = max(min(before, after), 0)
    kernel = per_channel(taps * (factor * math.sqrt(gain)), x)
    x = F.conv_transpose2d(x, kernel, stride=factor, padding=cut, groups=x.shape[1])
    if before < 0 or after < 0:
        return F.pad(x, [cut - before, cut - after] * 2)
    kept = slice(before - cut, x.shape[-1] - (after - cut))
    return x[..., kept, kept]


def per_channel(taps: Tensor, x: Tensor) -> Tensor:
    """A filter [taps] or [taps, taps], once for each channel of x [n, C, H, W]: [C, 1, taps, taps].

    On processors one two-dimensional pass is faster than two of one dimension.
    """
    kernel = torch.outer(taps, taps) if taps.ndim == 1 else taps
    return kernel.expand(x.shape[1], 1, *kernel.shape)


def normalize(z: Tensor) -> Tensor:
    """z [n, D] scaled to a mean square of 1."""
    return z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON)


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance."""
    return F.leaky_relu(x, SLOPE) * GAIN
