"""Pictures of codes without gradients on a CPU, fast: the arithmetic of `layers`, in the order that memory likes.

- A level is made in strips of rows that stay in the cache. What a depthwise convolution still needs of the rows above is
  kept, so that no row is made twice; the last level's map, the largest, is never held whole.
- Feature maps are channels last, [H, W, C]: a pointwise convolution is one matrix product into a buffer used again.
- Styles multiply the weights, not the maps, wherever a convolution follows. The last wavelet is part of its weights too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend_plugins.mobilestylegan.layers import BANDS, SLOPE, Modulation, inverse_haar

if TYPE_CHECKING:
    from kinblend_plugins.mobilestylegan.generator import Generator
    from kinblend_plugins.mobilestylegan.layers import Convolution, Level, SeparableConvolution, ToPicture

CHUNK = 1 << 20  # bytes of a feature map that are made at once


def draw(generator: Generator, codes: Tensor, noise: bool, size: int | None = None) -> Tensor:
    """Pictures float32 [n, 3, R, R], one after the other; arguments as `Generator.forward` takes them."""
    pictures = codes.new_empty(len(codes), 3, generator.resolution, generator.resolution, dtype=torch.float32)
    for code, picture in zip(codes, pictures, strict=True):
        _draw(generator, code, noise, picture)
    return pictures


def _draw(generator: Generator, code: Tensor, noise: bool, picture: Tensor) -> None:
    """One picture [3, R, R] of a code [L, D]."""
    x = _first(generator.first, generator.constant, code[0], noise)
    for number, level in enumerate(generator.levels[:-1]):
        styles = code[3 * number + 1 : 3 * number + 4]
        whole = x.new_empty(2 * x.shape[0], 2 * x.shape[1], len(level.second.bias))
        for _ in _Strips(level, styles, noise, x, whole):
            pass
        x = whole
    _picture(generator, x, code, noise, picture)


def _picture(generator: Generator, x: Tensor, code: Tensor, noise: bool, picture: Tensor) -> None:
    size = generator.resolution
    weight, bias = _last(generator.picture, code[-1])
    picture = picture.view(3, size // 2, 2, size // 2, 2)
    for top, rows in _Strips(generator.levels[-1], code[-4:-1], noise, x):
        bands = torch.addmm(bias, weight, rows.flatten(0, 1).T)
        picture[:, top : top + len(rows)] = bands.view(3, 2, 2, *rows.shape[:2]).permute(0, 3, 1, 4, 2)


def _last(layer: ToPicture, w: Tensor) -> tuple[Tensor, Tensor]:
    """Weight [12, C] and bias [12, 1] to the colours of 2 × 2 pixels, from those to the bands of a wavelet."""
    weight = layer.weight.flatten(1) * _style(layer.modulation, w)
    both = torch.cat([weight, layer.bias[:, None]], 1).float()
    pixels = inverse_haar(both.T[:, :, None, None]).flatten(1).T.to(weight.dtype)
    return pixels[:, :-1].contiguous(), pixels[:, -1:].contiguous()


def _first(layer: Convolution, constant: Tensor, w: Tensor, noise: bool) -> Tensor:
    """The map of 4 px, [4, 4, C]."""
    patches = F.unfold((constant * _style(layer.modulation, w)[:, None, None])[None], 3, padding=1)[0]
    x = torch.mm(patches.T, layer.weight.flatten(1).T).view(*layer.noise.shape, -1)
    return _activate(x, layer, layer.noise if noise else None)


class _Strips:
    """The second map of a level, strip by strip: pairs of the first row's number and rows [r, W, C].

    The rows are valid until the next strip is asked for.
    """

    def __init__(self, level: Level, codes: Tensor, noise: bool, x: Tensor, whole: Tensor | None = None) -> None:
        self.level, self.noise, self.x = level, noise, x
        self.style = _style(level.modulation, codes[0]) * 0.5
        self.size = 2 * len(x)
        width = max(len(level.first.bias), len(level.second.bias))
        self.rows = min(max(4, CHUNK // (self.size * width * x.element_size()) // 2 * 2), self.size)
        self.taps = [_taps(conv, w) for conv, w in zip((level.first, level.second), codes[1:], strict=True)]
        self.grown = _Window(self.rows, self.size, len(level.first.depthwise), x)
        self.between = _Window(self.rows, self.size, len(level.first.bias), x)
        self.whole = whole
        self.done = x.new_empty(self.rows + 2, self.size, len(level.second.bias)) if whole is None else whole
        self.scaled = x.new_empty(self.rows // 2, *x.shape[1:])
        self.sums = x.new_empty(2, self.rows // 2, self.size // 2, 2, x.shape[-1] // BANDS)

    def __iter__(self):
        middle = bottom = 0  # rows of both maps that are done
        for top in range(0, self.size, self.rows):
            stop = min(top + self.rows, self.size)
            last = stop == self.size
            self._grow(top // 2, stop // 2, self.grown.add(stop - top))
            source = self.grown.rows(last)
            rows = self._convolve(0, source, middle, self.between.add(len(source) - 2))
            middle += len(rows)
            self.grown.slide()
            source = self.between.rows(last)
            start = 0 if self.whole is None else bottom
            rows = self._convolve(1, source, bottom, self.done[start : start + len(source) - 2])
            yield bottom, rows
            bottom += len(rows)
            self.between.slide()

    def _grow(self, top: int, stop: int, out: Tensor) -> None:
        """Wavelet rows `top` to `stop` of x, modulated, into `out` [2 r, W, C]."""
        x = torch.mul(self.x[top:stop], self.style, out=self.scaled[: stop - top])
        average_across, down_diagonal = x.unflatten(2, (2, 2, -1)).unbind(3)
        pixels = out.view(stop - top, 2, self.size // 2, 2, -1)
        torch.add(average_across, down_diagonal, out=self.sums[0, : stop - top])
        torch.sub(average_across, down_diagonal, out=self.sums[1, : stop - top])
        for row, sums in enumerate(self.sums[:, : stop - top]):
            torch.add(sums[:, :, 0], sums[:, :, 1], out=pixels[:, row, :, 0])
            torch.sub(sums[:, :, 0], sums[:, :, 1], out=pixels[:, row, :, 1])

    def _convolve(self, which: int, x: Tensor, top: int, out: Tensor) -> Tensor:
        conv = (self.level.first, self.level.second)[which]
        x = F.conv2d(x[None].permute(0, 3, 1, 2), self.taps[which], padding=(0, 1), groups=x.shape[-1])
        torch.mm(x.permute(0, 2, 3, 1).flatten(0, 2), conv.pointwise.flatten(1).T, out=out.flatten(0, 1))
        return _activate(out, conv, conv.noise[top : top + len(out)] if self.noise else None)


class _Window:
    """Rows of a map that the next depthwise convolution looks at, after a row of zeros."""

    def __init__(self, rows: int, width: int, channels: int, like: Tensor) -> None:
        self.buffer = like.new_zeros(rows + 4, width, channels)
        self.filled = 1

    def add(self, rows: int) -> Tensor:
        """Room for so many more rows."""
        self.filled += rows
        return self.buffer[self.filled - rows : self.filled]

    def rows(self, last: bool) -> Tensor:
        """All that is there; with a row of zeros below where these are the last."""
        if last:
            self.add(1).zero_()
        return self.buffer[: self.filled]

    def slide(self) -> None:
        """Keep the last two rows."""
        self.buffer[:2] = self.buffer[self.filled - 2 : self.filled].clone()
        self.filled = 2


def _style(modulation: Modulation, w: Tensor) -> Tensor:
    """[D] → [C]."""
    return modulation(w[None])[0, :, 0, 0]


def _taps(conv: SeparableConvolution, w: Tensor) -> Tensor:
    """The depthwise weights, times the style."""
    return conv.depthwise * _style(conv.modulation, w)[:, None, None, None]


def _activate(x: Tensor, layer: Convolution | SeparableConvolution, noise: Tensor | None) -> Tensor:
    """Bias, noise and leaky ReLU, in place."""
    x.add_(layer.bias)
    if noise is not None:
        x.add_(noise[..., None])
    return F.leaky_relu_(x, SLOPE)
