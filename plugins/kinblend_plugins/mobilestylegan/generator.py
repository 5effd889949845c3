"""The generator: mapping network and synthesis network (Belousov 2021)."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from itertools import pairwise

import torch
from torch import Tensor, nn

from kinblend import build_network
from kinblend.errors import CheckpointError
from kinblend_plugins.mobilestylegan.layers import Convolution, Level, Mapping, ToPicture

SMALLEST = 4  # px of the first feature map


class Generator(nn.Module):
    """z → w by `mapping`, codes → pictures by `forward`.

    widths: channels of the first layer and of each level. depth: layers of the mapping network. dim: of z and w.
    heads: sizes, in pixels, at which a smaller picture can be had from the feature map of that size.
    """

    keep_float32 = ("w_avg",)

    def __init__(self, widths: list[int], depth: int, dim: int = 512, heads: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.dim, self.layers = dim, 3 * (len(widths) - 1) + 2
        self.resolution = SMALLEST * 2 ** len(widths)
        self.mapping = Mapping(dim, depth)
        self.constant = nn.Parameter(torch.empty(widths[0], SMALLEST, SMALLEST))
        self.first = Convolution(widths[0], dim, SMALLEST)
        self.levels = nn.ModuleList(
            Level(inputs, outputs, dim, SMALLEST * 2 ** (number + 1))
            for number, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.picture = ToPicture(widths[-1], dim)
        self.heads = nn.ModuleDict(
            {str(size): ToPicture(self._width(widths, size), dim, grows=False) for size in heads}
        )
        self.register_buffer("w_avg", torch.zeros(dim))

    @property
    def parts(self) -> list[nn.Module]:
        """Modules that may come to a small device one after the other."""
        return [self.mapping, self.first, *self.levels, self.picture, *self.heads.values()]

    @staticmethod
    def _width(widths: list[int], size: int) -> int:
        return widths[(size // SMALLEST).bit_length() - 1]

    def forward(self, codes: Tensor, noise: bool = True, size: int | None = None) -> Tensor:
        """codes [n, L, D] → RGB about [−1, 1], float32 [n, 3, R, R].

        size: where it is given and there is a head for it, a picture of the smallest size with a head that is no
        smaller.
        """
        count = self.level_count(size)
        x = self.first(self.constant.expand(len(codes), -1, -1, -1), codes[:, 0], noise)
        for number, level in enumerate(self.levels[:count]):
            x = level(x, codes[:, 3 * number + 1 : 3 * number + 4], noise)
        if count == len(self.levels) and not self._has_head(size):
            return self.picture(x, codes[:, -1])
        return self.heads[str(SMALLEST * 2**count)](x, codes[:, 3 * count + 1])

    def _has_head(self, size: int | None) -> bool:
        return size is not None and any(int(head) >= size for head in self.heads)

    def level_count(self, size: int | None) -> int:
        """How many levels a picture of at least `size` px takes; None: all."""
        sizes = sorted(int(head) for head in self.heads if size is not None and int(head) >= size)
        return (sizes[0] // SMALLEST).bit_length() - 1 if sizes else len(self.levels)


def build(tensors: Table[str, Tensor]) -> Generator:
    """The generator that fits `tensors`, holding them, without gradients; sizes come from the shapes.

    Raises `CheckpointError` naming the tensor that is missing, unknown or of the wrong shape.
    """
    depth = sum(bool(re.fullmatch(r"mapping\.layers\.\d+\.bias", name)) for name in tensors)
    steps = sum(bool(re.fullmatch(r"levels\.\d+\.second\.bias", name)) for name in tensors)
    widths = [_length(tensors, name) for name in ("first.bias", *(f"levels.{i}.second.bias" for i in range(steps)))]
    heads = sorted(int(found[1]) for name in tensors if (found := re.fullmatch(r"heads\.(\d+)\.bias", name)))
    dim = _length(tensors, "w_avg")
    return build_network(
        lambda: Generator(widths, depth, dim, tuple(heads)), tensors, "the generator", "import it again"
    )


def _length(tensors: Table[str, Tensor], name: str) -> int:
    if name not in tensors or tensors[name].ndim != 1:
        raise CheckpointError(f"the generator's tensor {name} is missing or no vector; import it again")
    return len(tensors[name])
