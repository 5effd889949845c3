"""The layers of MobileStyleGAN.

Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis" (2021),
sections 3.1 (wavelets), 3.2 (depthwise-separable modulated convolutions) and 3.3 (demodulation fused into weights).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from kinblend_plugins.mobilestylegan.heads import Head, HeadLevel

SMALLEST = 4  # px of the first feature map
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
    """Styles of codes: [n, D] → [n, channels], which multiply the channels of a feature map."""


class Convolution(nn.Module):
    """The first layer's: modulated 3 × 3 convolution, noise, bias, leaky ReLU."""

    def __init__(self, channels: int, dim: int, size: int) -> None:
        super().__init__()
        self.modulation = Modulation(dim, channels)
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.noise = nn.Parameter(torch.empty(size, size))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor, w: Tensor, noise: bool) -> Tensor:
        x = F.conv2d(x * self.modulation(w)[:, :, None, None], self.weight, self.bias, padding=1)
        x = F.leaky_relu(x + self.noise if noise else x, SLOPE)
        return x.contiguous(memory_format=torch.channels_last)


class SeparableConvolution(nn.Module):
    """Depthwise 3 × 3, then modulated pointwise convolution, noise, bias, leaky ReLU.

    A style multiplies the channels that come in. A depthwise convolution keeps channels apart, so the style may as
    well multiply the pointwise weights: a few thousand numbers instead of a feature map.
    """

    def __init__(self, inputs: int, outputs: int, dim: int, size: int) -> None:
        super().__init__()
        self.modulation = Modulation(dim, inputs)
        self.depthwise = nn.Parameter(torch.empty(inputs, 1, 3, 3))
        self.pointwise = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        self.noise = nn.Parameter(torch.empty(size, size))
        self.bias = nn.Parameter(torch.empty(outputs))


class Level(nn.Module):
    """Twice the size: an inverse wavelet transform of modulated channels, then two convolutions.

    inputs, outputs: channels. size: of its feature maps, in pixels.
    """

    grows = True

    def __init__(self, inputs: int, outputs: int, dim: int, size: int) -> None:
        super().__init__()
        self.modulation = Modulation(dim, inputs)
        self.first = SeparableConvolution(inputs // BANDS, outputs, dim, size)
        self.second = SeparableConvolution(outputs, outputs, dim, size)

    def forward(
        self, x: Tensor, codes: Tensor, noise: bool, own: HeadLevel | None = None, channels: int | None = None
    ) -> Tensor:
        """x: [n, inputs, H, H]. codes: [n, 3, D]. Returns [n, outputs, 2 H, 2 H].

        own: weights to take instead, of a head. Where it does not grow x may be the average band alone, and the
        result is [n, outputs, H, H]. channels: so many of the result's, the first, are enough.
        """
        own_weights: HeadLevel | Level = own or self
        style = self.modulation(codes[:, 0])[:, :, None, None]
        if own_weights.grows:
            x = inverse_haar(x * style)
        else:
            style = average_band(style)
            x = x[:, : style.shape[1]] * style * 0.5
        x = separable(own_weights.first, x, self.first.modulation(codes[:, 1]), self.first.noise if noise else None)
        return separable(
            own_weights.second, x, self.second.modulation(codes[:, 2]), self.second.noise if noise else None, channels
        )


class ToPicture(nn.Module):
    """A feature map as a picture of twice its size: modulated pointwise convolution, inverse wavelet transform."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.modulation = Modulation(dim, channels)
        self.weight = nn.Parameter(torch.empty(3 * BANDS, channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(3 * BANDS))

    def forward(self, x: Tensor, w: Tensor, own: Head | None = None) -> Tensor:
        """own: weights to take instead, of a head; where it does not grow, a picture of the map's own size."""
        picture = colours(own or self, x, self.modulation(w))
        return inverse_haar(picture) if own is None or own.grows else picture


class Separable(Protocol):
    """Weights of a depthwise and a pointwise convolution."""

    @property
    def depthwise(self) -> Tensor: ...

    @property
    def pointwise(self) -> Tensor: ...

    @property
    def bias(self) -> Tensor: ...


def separable(
    weights: Separable, x: Tensor, style: Tensor, noise: Tensor | None, channels: int | None = None
) -> Tensor:
    """Depthwise, modulated pointwise, noise [H, W], bias, leaky ReLU of maps [n, C, H, W]. style: [n, C].

    channels: so many of those that come out, the first; None: all.
    """
    x = F.conv2d(x, weights.depthwise, padding=1, groups=len(weights.depthwise))
    weight = modulated(weights.pointwise[:channels], style)
    noise = None if noise is None else noise.reshape(-1, 1)
    return as_maps(pointwise(as_pixels(x), weight, weights.bias[:channels], noise), *x.shape[2:])


class Coloured(Protocol):
    """Weights from a feature map to colours."""

    @property
    def weight(self) -> Tensor: ...

    @property
    def bias(self) -> Tensor: ...


def colours(weights: Coloured, x: Tensor, style: Tensor) -> Tensor:
    """float32 [n, colours, H, W] of maps [n, C, H, W]. style: [n, C]."""
    pixels = torch.bmm(as_pixels(x), modulated(weights.weight, style)).float() + weights.bias.float()
    return as_maps(pixels, *x.shape[2:])


def average_band(x: Tensor) -> Tensor:
    """Of the bands [n, 4 C, …] of a wavelet, the picture at half its size: [n, C, …]."""
    return x[:, : x.shape[1] // BANDS]


def as_pixels(x: Tensor) -> Tensor:
    """[n, C, H, W], channels last → [n, H·W, C], without copying."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def as_maps(x: Tensor, height: int, width: int) -> Tensor:
    """[n, H·W, C] → [n, C, H, W], channels last, without copying."""
    result: Tensor = x.unflatten(1, (height, width)).permute(0, 3, 1, 2)
    return result


def modulated(weight: Tensor, style: Tensor) -> Tensor:
    """A pointwise convolution's weights [O, C, 1, 1], its inputs multiplied by styles [n, C]: [n, C, O]."""
    return (weight[:, :, 0, 0] * style[:, None, :]).mT


class Pointwise(torch.autograd.Function):
    """leaky ReLU(x · weight + bias + noise), in place: training holds one map a layer instead of four.

    x: [n, P, C], P pixels. weight: [n, C, O]. bias: [O]. noise: [P, 1] or None, which gets no gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, noise: Tensor | None) -> Tensor:
        out = torch.bmm(x, weight).add_(bias)
        out = F.leaky_relu_(out if noise is None else out.add_(noise), SLOPE)
        ctx.save_for_backward(x, weight, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        x, weight, out = ctx.saved_tensors
        grad = torch.ops.aten.leaky_relu_backward(grad, out, SLOPE, True)  # a positive slope keeps the sign
        bias = grad.sum((0, 1)) if ctx.needs_input_grad[2] else None
        return torch.bmm(grad, weight.mT), torch.bmm(x.mT, grad), bias, None


class InverseHaar(torch.autograd.Function):
    """Feature maps of twice the size: [n, 4 C, H, W] → [n, C, 2 H, 2 W], channels last.

    The bands lie one after the other: C channels of the halved picture, of its detail from top to bottom, from left
    to right and of the diagonal one. Haar 1910, orthonormal, so that its gradient is the transform the other way.
    """

    @staticmethod
    def forward(ctx: Any, bands: Tensor) -> Tensor:
        average, down, across, diagonal = (bands * 0.5).chunk(BANDS, 1)
        count, channels, height, width = average.shape
        maps = _channels_last(bands, count, channels, 2 * height, 2 * width)
        rows = ((average + down, across + diagonal), (average - down, across - diagonal))
        for row, (even, odd) in enumerate(rows):
            torch.add(even, odd, out=maps[:, :, row::2, 0::2])
            torch.sub(even, odd, out=maps[:, :, row::2, 1::2])
        return maps

    @staticmethod
    def backward(ctx: Any, maps: Tensor) -> Tensor:
        count, channels, height, width = maps.shape
        bands = _channels_last(maps, count, BANDS * channels, height // 2, width // 2)
        average, down, across, diagonal = bands.chunk(BANDS, 1)
        left, right = maps[:, :, :, 0::2] * 0.5, maps[:, :, :, 1::2] * 0.5
        even, odd = left + right, left - right
        torch.add(even[:, :, 0::2], even[:, :, 1::2], out=average)
        torch.sub(even[:, :, 0::2], even[:, :, 1::2], out=down)
        torch.add(odd[:, :, 0::2], odd[:, :, 1::2], out=across)
        torch.sub(odd[:, :, 0::2], odd[:, :, 1::2], out=diagonal)
        return bands


def _channels_last(like: Tensor, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def pointwise(x: Tensor, weight: Tensor, bias: Tensor, noise: Tensor | None) -> Tensor:
    """See `Pointwise`."""
    result: Tensor = Pointwise.apply(x, weight, bias, noise)  # type: ignore[no-untyped-call]
    return result


def inverse_haar(bands: Tensor) -> Tensor:
    """See `InverseHaar`."""
    result: Tensor = InverseHaar.apply(bands)  # type: ignore[no-untyped-call]
    return result
