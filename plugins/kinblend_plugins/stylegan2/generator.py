"""The generator: mapping network and synthesis network (Karras et al., 2020, with skip connections)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan2 import tiled
from kinblend_plugins.stylegan2.layers import (
    MAPPING_RATE,
    Dense,
    ModulatedConv,
    StyledConv,
    ToRGB,
    leaky,
    normalize,
    upsample,
)


class Generator(nn.Module):
    """z → w by `mapping`, codes → pictures by `forward`.

    widths: channels at 4, 8, 16, … px. depth: layers of the mapping network. dim: dimensions of z and w.
    """

    const: Tensor
    w_avg: Tensor

    def __init__(self, widths: Sequence[int], depth: int, dim: int = 512) -> None:
        super().__init__()
        self.dim, self.resolution, self.layers = dim, 4 * 2 ** (len(widths) - 1), 2 * len(widths)
        self.const = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.mapping_layers = nn.ModuleList(Dense(dim, dim, MAPPING_RATE) for _ in range(depth))
        self.convs = nn.ModuleList([StyledConv(widths[0], widths[0], dim, 4, False)])
        for step in range(1, len(widths)):
            size, width = 4 * 2**step, widths[step]
            self.convs.append(StyledConv(widths[step - 1], width, dim, size, True))
            self.convs.append(StyledConv(width, width, dim, size, False))
        self.colours = nn.ModuleList(ToRGB(width, dim) for width in widths)
        self.register_buffer("w_avg", torch.zeros(dim))

    @property
    def styled(self) -> Sequence[StyledConv]:
        """`convs` by their type."""
        return cast("Sequence[StyledConv]", self.convs)

    @property
    def to_rgb(self) -> Sequence[ToRGB]:
        """`colours` by their type."""
        return cast("Sequence[ToRGB]", self.colours)

    def mapping(self, z: Tensor) -> Tensor:
        """w of z, both [n, D]."""
        x = normalize(z)
        for layer in self.mapping_layers:
            x = leaky(layer(x))
        return x

    def forward(self, codes: Tensor, noises: Sequence[Tensor | None], size: int | None = None) -> Tensor:
        """codes [n, L, D] → RGB about [−1, 1], [n, 3, R, R]. noises: for each conv a map [r, r], [n, 1, r, r]
        or None.

        size: where it is given, the first picture of the pyramid that is no smaller.
        """
        if self.is_watched(codes, *noises):
            return self.layered(codes, noises, size)
        return tiled.draw(self, codes, noises, size)

    def layered(self, codes: Tensor, noises: Sequence[Tensor | None], size: int | None = None) -> Tensor:
        """As `forward`, layer by layer: what gradients and compilers go through."""
        x = self.const.expand(len(codes), -1, -1, -1)
        x = self.convs[0](x, codes[:, 0], noises[0])
        picture = self.colours[0](x, codes[:, 1])
        for step in range(1, self.levels(size)):
            first, second = 2 * step - 1, 2 * step
            x = self.convs[first](x, codes[:, first], noises[first])
            x = self.convs[second](x, codes[:, second], noises[second])
            picture = upsample(picture) + self.colours[step](x, codes[:, second + 1])
        result: Tensor = picture
        return result

    def levels(self, size: int | None) -> int:
        """How many levels of the pyramid a picture of at least `size` px takes; None: all."""
        if size is None or size >= self.resolution:
            return len(self.colours)
        return max(1, (size - 1).bit_length() - 1)

    def is_watched(self, *tensors: Tensor | None) -> bool:
        """Whether a gradient could be asked for."""
        return torch.is_grad_enabled() and any(
            t is not None and t.requires_grad for t in (*tensors, *self.parameters())
        )


def build(tensors: Mapping[str, Tensor], clamp: float | None = None) -> Generator:
    """The generator that fits `tensors` (names as `names.translate` gives them), holding them, without gradients.

    Widths, dimension and mapping depth come from the shapes. clamp: of every layer (NVIDIA's `conv_clamp`).
    Raises `CheckpointError` naming the tensor that is missing, unknown or of the wrong shape.
    """
    steps = sum(bool(re.fullmatch(r"colours\.\d+\.bias", name)) for name in tensors)
    depth = sum(bool(re.fullmatch(r"mapping_layers\.\d+\.bias", name)) for name in tensors)
    widths = [_size(tensors, f"convs.{2 * step}.bias") for step in range(steps)]
    if not widths or not depth:
        raise CheckpointError("this generator has no mapping or no synthesis layers; import its checkpoint again")
    dim = _size(tensors, "mapping_layers.0.bias")
    tensors = {"w_avg": torch.zeros(dim), **tensors}
    generator = build_network(
        lambda: Generator(widths, depth, dim), tensors, "the generator", "import its checkpoint again"
    )
    for module in generator.modules():
        if isinstance(module, ModulatedConv):
            module.clamp = clamp
            module.freeze()
    return generator


def _size(tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors or tensors[name].ndim != 1:
        raise CheckpointError(f"the generator's tensor {name} is missing or no vector; import its checkpoint again")
    return len(tensors[name])
