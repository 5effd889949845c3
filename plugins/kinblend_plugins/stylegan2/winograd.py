"""3 × 3 convolutions with a quarter of the multiplications, for wide layers in float32 on a CPU.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2016), F(4 × 4, 3 × 3): overlapping tiles of
6 × 6 are transformed, multiplied by the transformed weights, and transformed back to 4 × 4. On numbers of unit
variance the largest difference from the direct sum is below 1e-4.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = 4  # rows and columns of the output that one tile gives
NARROWEST = 128  # channels; with fewer, the transforms cost more than they save
SMALLEST = 32  # columns of the output; with fewer, little is saved for weights that take four times the memory
GROWTH = 4  # times the memory that the transformed weights take: 36 numbers for 9
BAND = 4 << 20  # bytes of the input that are transformed at once, so that it all stays in the cache

_INPUT = [
    [4.0, 0.0, -5.0, 0.0, 1.0, 0.0],
    [0.0, -4.0, -4.0, 1.0, 1.0, 0.0],
    [0.0, 4.0, -4.0, -1.0, 1.0, 0.0],
    [0.0, -2.0, -1.0, 2.0, 1.0, 0.0],
    [0.0, 2.0, -1.0, -2.0, 1.0, 0.0],
    [0.0, 4.0, 0.0, -5.0, 0.0, 1.0],
]
_KERNEL = [
    [1 / 4, 0.0, 0.0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0.0, 0.0, 1.0],
]
_OUTPUT = [
    [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
    [0.0, 1.0, -1.0, 2.0, -2.0, 0.0],
    [0.0, 1.0, 1.0, 4.0, 4.0, 0.0],
    [0.0, 1.0, -1.0, 8.0, -8.0, 1.0],
]


def pays(weight: Tensor, height: int, width: int) -> bool:
    """Whether an output of that size is faster made here."""
    suits = suit(weight, weight.device.type, weight.dtype, width)
    return suits and height % TILE == width % TILE == 0


def suit(weight: Tensor, device: str, dtype: torch.dtype, width: int) -> bool:
    """Whether the weights, on such a device ("cpu") and in that dtype, can pay for an output so wide."""
    wide = min(weight.shape[:2]) >= NARROWEST and width >= SMALLEST
    return wide and device == "cpu" and dtype == torch.float32


def transformed(weight: Tensor) -> Tensor:
    """Weights [outputs, inputs, 3, 3] → [36, inputs, outputs], four times as large."""
    outputs, inputs = weight.shape[:2]
    wide = weight.reshape(outputs * inputs, 9) @ _both_ways(_KERNEL, weight).T
    return wide.view(outputs, inputs, 36).permute(2, 1, 0).contiguous()


def convolve(x: Tensor, weights: Tensor, above: bool, below: bool) -> Tensor:
    """[n, inputs, H, W] → [n, outputs, ·, W], channels last, as `torch.conv2d` with a column of zeros at both sides.

    weights: as `transformed` gives them. above, below: also a row of zeros there.
    """
    x = F.pad(x, (1, 1, int(above), int(below))).contiguous(memory_format=torch.channels_last)
    count, channels, height, width = x.shape
    shape = (count, weights.shape[2], height - 2, width - 2)
    out = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last)
    rows = max(TILE, BAND // (4 * count * channels * width) // TILE * TILE)
    for top in range(0, height - 2, rows):
        band = x[:, :, top : min(top + rows, height - 2) + 2]
        out[:, :, top : top + rows] = _band(band, weights)
    return out


def _band(x: Tensor, weights: Tensor) -> Tensor:
    count, channels, height, width = x.shape
    down, across = (height - 2) // TILE, (width - 2) // TILE
    picture, channel, row, column = x.stride()
    tiles = x.as_strided(
        (6, 6, count, down, across, channels),
        (row, column, picture, TILE * row, TILE * column, channel),
        x.storage_offset(),
    ).reshape(36, -1)
    product = torch.bmm((_both_ways(_INPUT, x) @ tiles).view(36, -1, channels), weights)
    tiles = (_both_ways(_OUTPUT, x) @ product.view(36, -1)).view(TILE, TILE, count, down, across, -1)
    tiles = tiles.permute(2, 3, 0, 4, 1, 5).reshape(count, TILE * down, TILE * across, -1)
    return tiles.permute(0, 3, 1, 2)


def _both_ways(matrix: list[list[float]], like: Tensor) -> Tensor:
    """The transform of rows and columns at once, as one matrix."""
    one_way = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one_way, one_way).to(like.dtype)
