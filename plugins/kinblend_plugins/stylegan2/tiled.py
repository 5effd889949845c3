"""Pictures of codes without gradients, fast: the arithmetic of `Generator.forward`, in the order that memory likes.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2. What is rearranged:

- On a CPU large feature maps are made in strips of rows that stay in its cache, each with the few rows around it that
  the next convolution looks at. The largest map, that of the last level, is never held whole.
- A leaky ReLU commutes with positive factors. So a convolution's output is not demodulated: bias and noise are
  multiplied by the norm it would be divided by, and what is left goes into the next style and the weights to RGB.
- Styles are divided by their largest value, which demodulation undoes: float16 does not overflow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.cancellation import check_cancelled
from kinblend_plugins.stylegan2 import winograd
from kinblend_plugins.stylegan2.layers import EPSILON, StyledConv, ToRGB, per_channel, upsample

if TYPE_CHECKING:
    from kinblend_plugins.stylegan2.generator import Generator

CHUNK = 8 << 20  # bytes of a feature map that are made at once on a CPU


class Modulation(NamedTuple):
    """What codes mean for one convolution, each float32 [n, channels, 1, 1].

    style: multiplies the input. norm: multiplies bias and noise. gain: the output is still to be multiplied by it.
    """

    style: Tensor
    norm: Tensor
    gain: Tensor


@dataclass(frozen=True)
class LayerInputs:
    """What a batch of codes asks of every layer: factors, weights to RGB [n, C, 3], and noise maps or None."""

    factors: Sequence[Modulation]
    rgb_weights: Sequence[Tensor]
    noises: Sequence[Tensor | None]

    def one(self, index: int) -> LayerInputs:
        """The inputs for one picture of the batch."""
        only = slice(index, index + 1)
        return LayerInputs(
            [Modulation(*(part[only] for part in factors)) for factors in self.factors],
            [weight[only] for weight in self.rgb_weights],
            [noise[only] if noise is not None and noise.ndim == 4 else noise for noise in self.noises],
        )


def draw(generator: Generator, codes: Tensor, noises: Sequence[Tensor | None], size: int | None = None) -> Tensor:
    """Pictures float32 [n, 3, R, R], channels last; arguments as `Generator.forward` takes them."""
    levels = generator.levels(size)
    inputs = _layer_inputs(generator, codes, noises, levels)
    x, picture = _first(generator, inputs)
    small = 1
    while small < levels and not _is_large(generator.styled[2 * small], x):
        small += 1
    x, picture = _through_layers(generator, inputs, x, picture, range(1, small))
    if small == levels:
        return picture
    rest = range(small, levels)
    alone = [
        _through_layers(generator, inputs.one(i), x[i : i + 1], picture[i : i + 1], rest)[1]
        for i in range(len(codes))
    ]
    return torch.cat(alone) if len(alone) > 1 else alone[0]


def _is_large(conv: StyledConv, like: Tensor) -> bool:
    size = len(conv.weight) * conv.size**2 * like.element_size()
    return like.device.type == "cpu" and size > CHUNK


def _layer_inputs(generator: Generator, codes: Tensor, noises: Sequence[Tensor | None], levels: int) -> LayerInputs:
    factors = [_factors(conv, codes[:, index]) for index, conv in enumerate(generator.styled[: 2 * levels - 1])]
    rgb_weights = [
        _rgb_weights(colour, codes[:, 2 * level + 1], factors[2 * level].gain)
        for level, colour in enumerate(generator.to_rgb[:levels])
    ]
    return LayerInputs(factors, rgb_weights, noises)


def _factors(conv: StyledConv, w: Tensor) -> Modulation:
    style = conv.affine(w).float()
    largest = style.abs().amax(dim=1, keepdim=True).clamp_min(EPSILON)
    style = style * (conv.scale / largest)
    norm = torch.sqrt(style.square() @ conv.energies().T + EPSILON / largest.square())
    return Modulation(*(part[:, :, None, None] for part in (style, norm, math.sqrt(2) / norm)))


def _rgb_weights(colour: ToRGB, w: Tensor, gain: Tensor) -> Tensor:
    style = colour.affine(w).float() * colour.scale * gain[:, :, 0, 0]
    result: Tensor = style[:, :, None] * colour.weight[:, :, 0, 0].float().T
    return result


def _first(generator: Generator, inputs: LayerInputs) -> tuple[Tensor, Tensor]:
    """The map of 4 px, ready for what follows, and its picture."""
    conv, factors = generator.styled[0], inputs.factors[0]
    x = (generator.const * factors.style).to(conv.weight).contiguous(memory_format=torch.channels_last)
    x = F.conv2d(x, conv.weight, padding=1)
    _activate(x, conv, factors, inputs.noises[0])
    picture = _colours(x, generator.to_rgb[0], inputs.rgb_weights[0])
    return x.mul_(_onward(inputs, 1, x)) if len(inputs.factors) > 1 else x, picture


def _through_layers(
    generator: Generator, inputs: LayerInputs, x: Tensor, picture: Tensor, levels: range
) -> tuple[Tensor, Tensor]:
    """Map and picture of the last of `levels`, from those of the level before the first."""
    for level in levels:
        picture = upsample(picture)
        x = _level(generator, inputs, x, picture, level)
    return x, picture


def _level(generator: Generator, inputs: LayerInputs, x: Tensor, picture: Tensor, level: int) -> Tensor:
    """The next level's map, modulated for what follows; its colours are added to `picture`."""
    first, second = 2 * level - 1, 2 * level
    doubling, conv = generator.styled[first], generator.styled[second]
    size, width, last = conv.size, len(conv.weight), second + 1 == len(inputs.factors)
    rows = max(2, CHUNK // (width * size * x.element_size())) if _is_large(conv, x) else size
    shape = (0 if last else len(x), width, size, size)
    whole = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    for top in range(0, size, rows):
        check_cancelled()
        bottom = min(top + rows, size)
        above, below = max(top - 1, 0), min(bottom + 1, size)  # the next convolution looks at its neighbours
        strip = _doubled(x, doubling.weight, above, below)
        _activate(strip, doubling, inputs.factors[first], _rows(inputs.noises[first], above, below))
        strip.mul_(_onward(inputs, second, x))
        strip = _same_size(strip, conv, above == top, below == bottom)
        _activate(strip, conv, inputs.factors[second], _rows(inputs.noises[second], top, bottom))
        picture[:, :, top:bottom] += _colours(strip, generator.to_rgb[level], inputs.rgb_weights[level])
        if not last:
            torch.mul(strip, _onward(inputs, second + 1, x), out=whole[:, :, top:bottom])
    return whole


def _doubled(x: Tensor, weight: Tensor, top: int, bottom: int) -> Tensor:
    """Rows `top` to `bottom` of what x becomes, twice as large, by transposed convolution and low-pass filter.

    Row i of the filtered map takes rows i − 1 to i + 2 of the convolved one; row t of that, rows (t − 2)/2 to t/2
    of x.
    """
    start, stop = max(top - 1, 0), min(bottom + 2, 2 * x.shape[2] + 1)
    before, after = max((start - 1) // 2, 0), min((stop + 1) // 2, x.shape[2])
    wide = F.conv_transpose2d(x[:, :, before:after], weight.transpose(0, 1), stride=2)
    wide = wide[:, :, start - 2 * before : stop - 2 * before]
    return _convolved(wide, per_channel(wide), top == 0, stop < bottom + 2, groups=len(weight))


def _same_size(x: Tensor, conv: StyledConv, above: bool, below: bool) -> Tensor:
    """The convolution that keeps the size, the fastest way."""
    if (
        conv.energy is not None
        and conv.may_widen
        and winograd.pays(conv.weight, x.shape[2] - 2 + above + below, x.shape[3])
    ):
        return winograd.convolve(x, conv.wide_weight(), above, below)
    return _convolved(x, conv.weight, above, below)


def _convolved(x: Tensor, weight: Tensor, above: bool, below: bool, groups: int = 1) -> Tensor:
    """A convolution with a column of zeros at both sides, and a row of them above and below where that is asked."""
    if above != below:
        x = F.pad(x, (0, 0, int(above), int(below)))
    return F.conv2d(x, weight, padding=(int(above and below), 1), groups=groups)


def _activate(x: Tensor, conv: StyledConv, factors: Modulation, noise: Tensor | None) -> None:
    """Bias, noise and leaky ReLU, in place; `factors.gain` is left to whoever takes x."""
    x.add_((conv.bias.float()[:, None, None] * factors.norm).to(x.dtype))
    if noise is not None:
        x.addcmul_(noise.to(x.dtype), (conv.noise_strength.float() * factors.norm).to(x.dtype))
    F.leaky_relu_(x, 0.2)
    if conv.clamp is not None:
        limit = (conv.clamp / factors.gain).to(x.dtype)
        x.clamp_(-limit, limit)


def _onward(inputs: LayerInputs, index: int, like: Tensor) -> Tensor:
    """What the output of the convolution before `index` is multiplied by to be its input."""
    return (inputs.factors[index - 1].gain * inputs.factors[index].style).to(like.dtype)


def _colours(x: Tensor, colour: ToRGB, rgb_weights: Tensor) -> Tensor:
    """RGB float32 [n, 3, H, W] of a map [n, C, H, W]."""
    flat = x.permute(0, 2, 3, 1).flatten(1, 2) @ rgb_weights.to(x.dtype)
    rgb = flat.float() + colour.bias.float()
    result: Tensor = colour.clamped(rgb).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
    return result


def _rows(noise: Tensor | None, top: int, bottom: int) -> Tensor | None:
    return None if noise is None else noise[..., top:bottom, :]
