"""Pictures of codes without gradients on a CPU, fast: the arithmetic of `layers`, in the order that memory likes.

- A level is made in strips of rows that stay in the cache. Rows that the next depthwise convolution needs again are
  kept, so hardly any is made twice. The last level's map, the largest, is never held whole.
- Each thread makes a part of the rows on its own, and waits for the others once a level instead of once an operation.
  Of several pictures each thread makes one by itself, part by part as all would together: the same bytes either way.
- Feature maps are [H, W, C]: a pointwise convolution is one matrix product into a buffer that is used again.
- Styles multiply weights instead of maps wherever a convolution follows, and the last wavelet is part of its weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.cancellation import check_cancelled
from kinblend_plugins.mobilestylegan.layers import BANDS, SLOPE, inverse_haar

if TYPE_CHECKING:
    from kinblend_plugins.mobilestylegan.generator import Generator
    from kinblend_plugins.mobilestylegan.heads import HeadConvolution, HeadLevel
    from kinblend_plugins.mobilestylegan.layers import Convolution, Level, Modulation, SeparableConvolution

CHUNK = 1 << 20  # bytes of a feature map that a thread makes at once
LEAST = 6  # rows of a strip: two convolutions leave two of them
SPLIT = 32  # px of a feature map from which on threads share its rows

Rows = Callable[[int, int], None]  # makes the rows from the first to before the second
Share = Callable[[Rows, int], None]  # has all rows of a map of that side made


class Separable(NamedTuple):
    """A depthwise and a pointwise convolution for one code.

    depthwise: [C, 1, 3, 3]. pointwise: [C, O]. bias: [O]. noise: [H, W, 1] or None.
    """

    depthwise: Tensor
    pointwise: Tensor
    bias: Tensor
    noise: Tensor | None


class Stage(NamedTuple):
    """A level for one code. style: multiplies what comes in, [C]. grows: whether its wavelet doubles the size."""

    style: Tensor
    grows: bool
    first: Separable
    second: Separable


class Colours(NamedTuple):
    """What follows the last level for one code: weight [3·S², C] and bias [3·S², 1] to the colours of S² pixels."""

    weight: Tensor
    bias: Tensor
    side: int


def draw(generator: Generator, codes: Tensor, noise: bool, size: int | None = None) -> Tensor:
    """Pictures float32 [n, 3, R, R]; arguments as `Generator.forward` takes them.

    Each is what it would be alone, to the last bit, on as many threads.
    """
    resolution = generator.picture_size(size)
    pictures = codes.new_empty(len(codes), 3, resolution, resolution, dtype=torch.float32)

    def make(number: int, share: Share) -> None:
        code = codes[number]
        *stages, last = _stages(generator, code, noise, size)
        x = _first(generator.first, generator.constant, code[0], noise)
        for stage in stages:
            x = _whole(stage, x, share)
        _paint(last, _colours(generator, code[-1], size), x, pictures[number], share)

    with _Threads() as threads:
        threads.each(make, len(codes))
    return pictures


def feature_map(generator: Generator, code: Tensor, count: int) -> Tensor:
    """The map [C, H, H] of the level `count`, counted from 1, for a code [L, D]."""
    x = _first(generator.first, generator.constant, code[0], noise=True)
    with _Threads() as threads:
        for stage in _stages(generator, code, noise=True, size=None)[:count]:
            x = _whole(stage, x, threads.share)
    return x.permute(2, 0, 1)


def _stages(generator: Generator, code: Tensor, noise: bool, size: int | None) -> list[Stage]:
    """All levels, for a picture of that size."""
    head, stages = generator.head(size), []
    for number, level in enumerate(generator.levels):
        codes = code[3 * number + 1 : 3 * number + 4]
        channels = None if head is None else head.channels(number)
        if head is None or number < head.start:
            stages.append(_stage(cast("Level", level), cast("Level", level), codes, noise, channels))
        else:
            own = cast("HeadLevel", head.levels[number - head.start])
            stages.append(_stage(cast("Level", level), own, codes, False, channels))
    return stages


def _stage(level: Level, own: Level | HeadLevel, codes: Tensor, noise: bool, channels: int | None) -> Stage:
    """The level's styles, with weights of its own or of a head. channels: that its map has; None: all."""
    style = _style(level.modulation, codes[0]) * 0.5
    return Stage(
        style if own.grows else style[: len(style) // BANDS],
        own.grows,
        _separable(level.first, own.first, codes[1], noise),
        _separable(level.second, own.second, codes[2], noise, channels),
    )


def _separable(
    like: SeparableConvolution,
    own: SeparableConvolution | HeadConvolution,
    w: Tensor,
    noise: bool,
    channels: int | None = None,
) -> Separable:
    pointwise = own.pointwise[:channels].flatten(1) * _style(like.modulation, w)
    return Separable(own.depthwise, pointwise.T, own.bias[:channels], like.noise[..., None] if noise else None)


def _colours(generator: Generator, w: Tensor, size: int | None) -> Colours:
    head, style = generator.head(size), _style(generator.picture.modulation, w)
    layer = generator.picture if head is None else head
    weight, bias = layer.weight.flatten(1) * style, layer.bias[:, None]
    if head is not None and not head.grows:
        return Colours(weight, bias, 1)
    pixels = inverse_haar(torch.cat([weight, bias], 1).T[:, :, None, None]).flatten(1).T
    return Colours(pixels[:, :-1].contiguous(), pixels[:, -1:].contiguous(), 2)


def _first(layer: Convolution, constant: Tensor, w: Tensor, noise: bool) -> Tensor:
    """The map of 4 px, [4, 4, C]."""
    patches = F.unfold((constant * _style(layer.modulation, w)[:, None, None])[None], 3, padding=1)[0]
    x = torch.mm(patches.T, layer.weight.flatten(1).T).view(*layer.noise.shape, -1)
    return _activate(x, layer.bias, layer.noise[..., None] if noise else None)


def _whole(stage: Stage, x: Tensor, share: Share) -> Tensor:
    """The level's map [H, W, C], from that of the level before."""
    size = len(x) * (1 + stage.grows)
    whole = x.new_empty(size, size, len(stage.second.bias))

    def make(top: int, bottom: int) -> None:
        for _ in _Strips(stage, x, top, bottom, whole):
            pass

    share(make, size)
    return whole


def _paint(stage: Stage, colours: Colours, x: Tensor, picture: Tensor, share: Share) -> None:
    """Paint the picture [3, R, R] from the map before the last level."""
    side = colours.side
    size = len(picture[0]) // side
    blocks = picture.view(3, size, side, size, side)

    def make(top: int, bottom: int) -> None:
        for row, rows in _Strips(stage, x, top, bottom):
            pixels = torch.addmm(colours.bias, colours.weight, rows.flatten(0, 1).T)
            pixels = pixels.view(3, side, side, len(rows), size)
            blocks[:, row : row + len(rows)] = pixels.permute(0, 3, 1, 4, 2)

    share(make, size)


class _Threads:
    """As many threads as torch may use, each of which works alone: torch's operations are not split further."""

    def __enter__(self) -> _Threads:
        self.count, self.inference = torch.get_num_threads(), torch.is_inference_mode_enabled()
        torch.set_num_threads(1)  # of this thread, and of those that are yet to begin
        self.pool = ThreadPoolExecutor(self.count)
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self.count)

    def each(self, make: Callable[[int, Share], None], count: int) -> None:
        """Call `make(number, share)` for so many pictures: one on each thread as long as there is one for each of
        them, then one after the other, whose rows they share."""
        apart = count // self.count * self.count if self.count > 1 else 0
        for done in [self.pool.submit(self._run, make, number, self.alone) for number in range(apart)]:
            done.result()
            check_cancelled()
        for number in range(apart, count):
            make(number, self.share)

    def share(self, work: Rows, size: int) -> None:
        """Call `work(top, bottom)` for all rows of a map, in parts where that pays, each on a thread."""
        parts = self._parts(size)
        if len(parts) == 1:
            work(0, size)
            return
        for done in [self.pool.submit(self._run, work, *part) for part in parts]:
            done.result()

    def alone(self, work: Rows, size: int) -> None:
        """As `share`, in the same parts, which decide how sums round, on this thread."""
        for part in self._parts(size):
            work(*part)

    def _parts(self, size: int) -> list[tuple[int, int]]:
        if self.count == 1 or size < SPLIT:
            return [(0, size)]
        rows = -(-size // self.count // 2) * 2
        return [(top, min(top + rows, size)) for top in range(0, size, rows)]

    def _run(self, work: Callable[..., None], *arguments: object) -> None:
        with torch.inference_mode(self.inference), torch.no_grad():  # a mode is a thread's own
            work(*arguments)


class _Strips:
    """Rows `top` to `bottom` of a level's second map, in strips: pairs of the first row's number and rows [r, W, C].

    whole: where the map is wanted whole, it is written there. Else rows are valid until the next ones are asked for.
    """

    def __init__(self, stage: Stage, x: Tensor, top: int, bottom: int, whole: Tensor | None = None) -> None:
        self.stage, self.x, self.top, self.whole = stage, x, top, whole
        self.size = len(x) * (1 + stage.grows)
        self.start, self.stop = (
            max(top - 2, 0),
            min(bottom + 2, self.size),
        )  # two convolutions look at their neighbours
        width = max(len(stage.first.bias), len(stage.second.bias)) * self.size * x.element_size()
        self.rows = min(max(CHUNK // width // 2 * 2, LEAST), self.stop - self.start)
        self.grown = _Window(self.rows, self.size, len(stage.first.depthwise), x, top == 0)
        self.between = _Window(self.rows, self.size, len(stage.first.bias), x, top == 0)
        self.done = x.new_empty(self.rows + 2, self.size, len(stage.second.bias)) if whole is None else whole
        if stage.grows:
            self.scaled = x.new_empty(self.rows // 2, *x.shape[1:])
            self.sums = x.new_empty(2, self.rows // 2, len(x), 2, x.shape[-1] // BANDS)

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        middle, row = max(self.top - 1, 0), self.top  # the next rows of both maps
        for start in range(self.start, self.stop, self.rows):
            stop = min(start + self.rows, self.stop)
            self._enter(start, stop)
            rows = self.grown.take(last=stop == self.size)
            middle += len(_convolve(self.stage.first, rows, middle, self.between.add(len(rows) - 2)))
            rows = self.between.take(last=stop == self.size)
            room = self.done if self.whole is None else self.done[row:]
            made = _convolve(self.stage.second, rows, row, room[: len(rows) - 2])
            yield row, made
            row += len(made)

    def _enter(self, start: int, stop: int) -> None:
        """Add the rows `start` to `stop` of what the first convolution takes."""
        out = self.grown.add(stop - start)
        if self.stage.grows:
            self._grow(start // 2, stop // 2, out)
        else:
            torch.mul(self.x[start:stop, :, : out.shape[-1]], self.stage.style, out=out)

    def _grow(self, top: int, stop: int, out: Tensor) -> None:
        """The wavelet of the rows `top` to `stop` of x, modulated, into `out` [2 r, W, C]."""
        scaled, sums = self.scaled[: stop - top], self.sums[:, : stop - top]
        torch.mul(self.x[top:stop], self.stage.style, out=scaled)
        average_across, down_diagonal = scaled.unflatten(2, (2, 2, -1)).unbind(3)
        torch.add(average_across, down_diagonal, out=sums[0])
        torch.sub(average_across, down_diagonal, out=sums[1])
        pixels = out.view(stop - top, 2, len(self.x), 2, -1)
        for row in range(2):
            even, odd = sums[row].unbind(2)
            torch.add(even, odd, out=pixels[:, row, :, 0])
            torch.sub(even, odd, out=pixels[:, row, :, 1])


class _Window:
    """Rows of a map that the next depthwise convolution looks at. bordered: the first is above the map, zero."""

    def __init__(self, rows: int, width: int, channels: int, like: Tensor, bordered: bool) -> None:
        self.buffer = like.new_zeros(rows + 4, width, channels)
        self.filled, self.taken = int(bordered), False

    def add(self, rows: int) -> Tensor:
        """Room for so many more; of those that were taken, the last two are kept."""
        if self.taken:
            self.buffer[:2] = self.buffer[self.filled - 2 : self.filled]
            self.filled, self.taken = 2, False
        self.filled += rows
        return self.buffer[self.filled - rows : self.filled]

    def take(self, last: bool) -> Tensor:
        """All there are; after the last of the map, another one of zeros."""
        if last:
            self.add(1).zero_()
        self.taken = True
        return self.buffer[: self.filled]


def _convolve(conv: Separable, x: Tensor, top: int, out: Tensor) -> Tensor:
    """Rows of a map from the row `top`, into `out` [r, W, O], from the r + 2 rows around them."""
    x = F.conv2d(x[None].permute(0, 3, 1, 2), conv.depthwise, padding=(0, 1), groups=x.shape[-1])
    torch.mm(x.permute(0, 2, 3, 1).flatten(0, 2), conv.pointwise, out=out.flatten(0, 1))
    return _activate(out, conv.bias, None if conv.noise is None else conv.noise[top : top + len(out)])


def _activate(x: Tensor, bias: Tensor, noise: Tensor | None) -> Tensor:
    """Bias, noise and leaky ReLU, in place."""
    x.add_(bias)
    if noise is not None:
        x.add_(noise)
    return F.leaky_relu_(x, SLOPE)


def _style(modulation: Modulation, w: Tensor) -> Tensor:
    """[D] → [C]."""
    style: Tensor = modulation(w[None])[0]
    return style
