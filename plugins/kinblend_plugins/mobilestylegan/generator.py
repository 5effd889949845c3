"""The generator: mapping network and synthesis network (Belousov 2021)."""

from __future__ import annotations

import re
from collections.abc import Mapping as Table
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError
from kinblend_plugins.mobilestylegan import tiled
from kinblend_plugins.mobilestylegan.heads import Head
from kinblend_plugins.mobilestylegan.layers import SMALLEST, Convolution, Level, Mapping, Modulation, ToPicture
from kinblend_plugins.mobilestylegan.regions import Regions


class Generator(nn.Module):
    """z → w by `mapping`, codes → pictures by `forward`.

    widths: channels of the first layer and of each level. depth: layers of the mapping network. dim: of z and w.
    heads: sizes of smaller pictures, in pixels, and for each the number of levels that are made in full.
    """

    keep_float32 = ("w_avg",)
    w_avg: Tensor

    def __init__(
        self, widths: Sequence[int], depth: int, dim: int = 512, heads: Table[int, int] | None = None
    ) -> None:
        super().__init__()
        self.widths, self.dim, self.layers = tuple(widths), dim, 3 * (len(widths) - 1) + 2
        self.resolution = SMALLEST * 2 ** len(widths)
        self.mapping = Mapping(dim, depth)
        self.constant = nn.Parameter(torch.empty(widths[0], SMALLEST, SMALLEST))
        self.first = Convolution(widths[0], dim, SMALLEST)
        self.levels = nn.ModuleList(
            Level(inputs, outputs, dim, SMALLEST * 2 ** (number + 1))
            for number, (inputs, outputs) in enumerate(pairwise(widths))
        )
        self.picture = ToPicture(widths[-1], dim)
        self.heads = nn.ModuleDict({str(size): Head(widths, start, size) for size, start in (heads or {}).items()})
        self.register_buffer("w_avg", torch.zeros(dim))

    def forward(self, codes: Tensor, noise: bool = True, size: int | None = None) -> Tensor:
        """codes [n, L, D] → RGB about [−1, 1], float32 [n, 3, R, R].

        size: where it is given and there is a head for it, a picture of the smallest size with a head that is no
        smaller. Without gradients on a CPU, `tiled` makes the same picture faster.
        """
        # In pieces, `offloadable_blocks` have their weights on the device only while they are called.
        in_pieces = self.constant.dtype != self.first.weight.dtype
        if codes.device.type == "cpu" and not in_pieces and not self.is_watched(codes):
            return tiled.draw(self, codes, noise, size)
        return self.layered(codes, noise, size)

    def layered(self, codes: Tensor, noise: bool = True, size: int | None = None) -> Tensor:
        """As `forward`, layer by layer: what gradients go through."""
        result: Tensor = self.picture(self._maps(codes, noise, size), codes[:, -1], self.head(size))
        return result

    def with_regions(self, codes: Tensor, regions: Regions, noise: bool = True, size: int | None = None) -> Tensor:
        """As `forward`, of one code [1, L, D], with regions of other people's pictures."""
        together = torch.cat([codes, regions.codes.to(codes)])
        result: Tensor = self.picture(self._maps(together, noise, size, regions), codes[:, -1], self.head(size))
        return result

    def _maps(self, codes: Tensor, noise: bool, size: int | None, regions: Regions | None = None) -> Tensor:
        """The last feature maps before the picture, [n, C, H, H]; with regions, the first code's alone."""
        head, count = self.head(size), len(self.levels)
        x: Tensor = self.first(self.constant.expand(len(codes), -1, -1, -1), codes[:, 0], noise)
        for number, level in enumerate(self.levels):
            own = None if head is None or number < head.start else head.levels[number - head.start]
            channels = None if head is None else head.channels(number)
            x = level(x, codes[: len(x), 3 * number + 1 : 3 * number + 4], noise and own is None, own, channels)
            if regions is not None:
                x = regions.mix(number, count, x)
        return x if regions is None else x[:1]

    def modulations(self) -> list[Modulation]:
        """What turns codes into styles, layer by layer."""
        found = [module for part in (self.first, *self.levels, self.picture) for module in part.modules()]
        return [module for module in found if isinstance(module, Modulation)]

    def head(self, size: int | None) -> Head | None:
        """The head for pictures of at least `size` px, or None where the whole generator makes them."""
        made = self.picture_size(size)
        return cast(Head, self.heads[str(made)]) if made < self.resolution else None

    def level_count(self, size: int | None) -> int:
        """How many levels are made in full for a picture of at least `size` px; None: all."""
        head = self.head(size)
        return len(self.levels) if head is None else head.start

    @property
    def offloadable_blocks(self) -> list[nn.Module]:
        """Modules that may come to a small device one after the other."""
        return [self.mapping, self.first, *self.levels, self.picture]

    def picture_size(self, size: int | None) -> int:
        """What is made where a picture of at least `size` px is asked for."""
        return min(
            (int(head) for head in self.heads if size is not None and int(head) >= size), default=self.resolution
        )

    def is_watched(self, codes: Tensor) -> bool:
        """Whether a gradient could be asked for."""
        return torch.is_grad_enabled() and (codes.requires_grad or any(p.requires_grad for p in self.parameters()))


def build(tensors: Table[str, Tensor]) -> Generator:
    """The generator that fits `tensors`, holding them, without gradients; sizes come from the shapes.

    Raises `CheckpointError` naming the tensor that is missing, unknown or of the wrong shape.
    """
    depth = sum(bool(re.fullmatch(r"mapping\.layers\.\d+\.bias", name)) for name in tensors)
    steps = sum(bool(re.fullmatch(r"levels\.\d+\.second\.bias", name)) for name in tensors)
    widths = [_length(tensors, name) for name in ("first.bias", *(f"levels.{i}.second.bias" for i in range(steps)))]
    dim, heads = _length(tensors, "w_avg"), _heads(tensors, steps)
    return build_network(lambda: Generator(widths, depth, dim, heads), tensors, "the generator", "import it again")


def _heads(tensors: Table[str, Tensor], steps: int) -> dict[int, int]:
    """Sizes of the heads, with the number of levels before each: those of `steps` that it does not have itself."""
    sizes = sorted(int(found[1]) for name in tensors if (found := re.fullmatch(r"heads\.(\d+)\.bias", name)))
    own = {size: re.compile(rf"heads\.{size}\.levels\.\d+\.second\.bias") for size in sizes}
    return {size: max(steps - sum(bool(own[size].fullmatch(name)) for name in tensors), 0) for size in sizes}


def _length(tensors: Table[str, Tensor], name: str) -> int:
    if name not in tensors or tensors[name].ndim != 1:
        raise CheckpointError(f"the generator's tensor {name} is missing or no vector; import it again")
    return len(tensors[name])
