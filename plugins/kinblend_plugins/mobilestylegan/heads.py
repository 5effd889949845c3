"""Smaller pictures from the maps of earlier levels, by what the later levels do to them.

A smaller picture averages away most of what the later levels draw. So they need not grow: they see the average band
of their wavelets alone, at the size it has, and their convolutions are narrowed to match. The other bands are not
made for them, which spares the level before three quarters of its last convolution. Styles stay the generator's own.
The noise of those levels is left away; a smaller picture does not show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from kinblend_plugins.mobilestylegan.layers import BANDS, SMALLEST

if TYPE_CHECKING:
    from kinblend_plugins.mobilestylegan.generator import Generator
    from kinblend_plugins.mobilestylegan.layers import SeparableConvolution


class Head(nn.Module):
    """Pictures of `size` px from the map of the generator's level `start`, counted from 1.

    widths: the generator's. Of the levels that are left and the last wavelet only the last few grow.
    """

    def __init__(self, widths: Sequence[int], start: int, size: int) -> None:
        super().__init__()
        self.start = start
        rest = list(pairwise(widths))[start:]
        still = len(rest) + 1 - (size // (SMALLEST * 2**start)).bit_length() + 1
        self.levels = nn.ModuleList(HeadLevel(*pair, grows=number >= still) for number, pair in enumerate(rest))
        self.grows = len(rest) >= still
        colours = 3 * (BANDS if self.grows else 1)
        self.weight = nn.Parameter(torch.empty(colours, widths[-1], 1, 1))
        self.bias = nn.Parameter(torch.empty(colours))

    def forward(self, generator: Generator, x: Tensor, codes: Tensor) -> Tensor:
        """x: [n, C, H, H], the map of the level `start`. codes: [n, L, D]. Returns float32 [n, 3, size, size]."""
        for number, level in enumerate(self.levels, start=self.start):
            w = codes[:, 3 * number + 1 : 3 * number + 4]
            x = generator.levels[number](x, w, False, level, self.channels(number))
        picture: Tensor = generator.picture(x, codes[:, -1], self)
        return picture

    def channels(self, number: int) -> int | None:
        """How many channels of the map of a level, counted from 0, are read by the next one; None: all.

        One that does not grow reads the average band alone, the first quarter.
        """
        following = number + 1 - self.start
        if not 0 <= following < len(self.levels) or self.levels[following].grows:
            return None
        return len(cast("HeadLevel", self.levels[following]).first.depthwise)


class HeadLevel(nn.Module):
    """A level with weights of its own.

    grows: whether its wavelet doubles the size. inputs, outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int, grows: bool) -> None:
        super().__init__()
        self.grows = grows
        self.first = HeadConvolution(inputs // BANDS, outputs)
        self.second = HeadConvolution(outputs, outputs)


class HeadConvolution(nn.Module):
    """Weights that stand in for those of a `SeparableConvolution`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.depthwise = nn.Parameter(torch.empty(inputs, 1, 3, 3))
        self.pointwise = nn.Parameter(torch.empty(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.empty(outputs))


@torch.no_grad()
def narrowed(generator: Generator, start: int, size: int) -> Head:
    """A head with the generator's own weights, its depthwise convolutions narrowed to the smaller size."""
    head = Head(generator.widths, start, size)
    halvings = 0
    for mine, level in zip(head.levels, generator.levels[start:], strict=True):
        halvings += not mine.grows
        for part in ("first", "second"):
            _copy(getattr(mine, part), getattr(level, part), halvings)
    scale = 1 if head.grows else 0.5
    head.weight.copy_(generator.picture.weight[: len(head.weight)] * scale)
    head.bias.copy_(generator.picture.bias[: len(head.bias)] * scale)
    return head


def _copy(mine: HeadConvolution, like: SeparableConvolution, halvings: int) -> None:
    depthwise: Tensor = like.depthwise
    for _ in range(halvings):
        depthwise = _halved(depthwise)
    mine.depthwise.copy_(depthwise)
    mine.pointwise.copy_(like.pointwise)
    mine.bias.copy_(like.bias)


def _halved(depthwise: Tensor) -> Tensor:
    """Weights [C, 1, 3, 3] for a map half as large: what the mean of 2 × 2 pixels takes of a map without detail."""
    share = depthwise.new_tensor([[0.5, 0.0, 0.0], [0.5, 1.0, 0.5], [0.0, 0.0, 0.5]])
    return share @ depthwise @ share.T
