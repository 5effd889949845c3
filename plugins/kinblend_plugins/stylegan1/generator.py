"""The generator: mapping network and synthesis network (Karras et al. 2019), with one output, at full size."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan1.layers import FUSED, SLOPE, Dense, StyledLayer, ToRGB, Variant, normalize

HINT = "import its checkpoint again"
MAX_STEPS = 9  # 4 to 1024 px


class Generator(nn.Module):
    """z → w by `mapping`, codes → pictures by `forward`.

    widths: channels at 4, 8, 16, … px. fused: for each of these sizes, whether it is reached by a transposed
    convolution. depth: layers of the mapping network. dim: dimensions of z and w.
    """

    w_avg: Tensor

    def __init__(self, widths: Sequence[int], fused: Sequence[bool], depth: int, dim: int, variant: Variant) -> None:
        super().__init__()
        self.dim, self.resolution = dim, 4 * 2 ** (len(widths) - 1)
        self.const = nn.Parameter(torch.zeros(widths[0], 4, 4))
        self.mapping_layers = nn.ModuleList(Dense(dim, dim) for _ in range(depth))
        self.layers = nn.ModuleList()
        for step, width in enumerate(widths):
            kernel = 0 if step == 0 else FUSED if fused[step] else 3
            before, size = widths[max(step - 1, 0)], 4 * 2**step
            self.layers.append(StyledLayer(before, width, dim, size, kernel, step > 0, variant))
            self.layers.append(StyledLayer(width, width, dim, size, 3, False, variant))
        self.to_rgb = ToRGB(widths[-1])
        self.register_buffer("w_avg", torch.zeros(dim))

    @property
    def styled(self) -> Sequence[StyledLayer]:
        """`layers` by their type."""
        return cast("Sequence[StyledLayer]", self.layers)

    def mapping(self, z: Tensor) -> Tensor:
        """w of z, both [n, D]."""
        x = normalize(z)
        for layer in self.mapping_layers:
            x = F.leaky_relu(layer(x), SLOPE)
        return x

    def forward(self, codes: Tensor, noises: Sequence[Tensor | None]) -> Tensor:
        """codes [n, L, D] → RGB about [−1, 1], [n, 3, R, R]. noises: for each layer a map [r, r] or None."""
        x = self.const.expand(len(codes), -1, -1, -1)
        for index, layer in enumerate(self.layers):
            x = layer(x, codes[:, index], noises[index])
        result: Tensor = self.to_rgb(x)
        return result


def build(tensors: Mapping[str, Tensor], variant: Variant) -> Generator:
    """The generator that fits `tensors`, holding them, without gradients; its widths come from their shapes.

    Raises `CheckpointError` naming the tensor that is missing, unknown or of the wrong shape.
    """
    steps = sum(bool(re.fullmatch(r"layers\.\d*[02468]\.bias", name)) for name in tensors)
    depth = sum(bool(re.fullmatch(r"mapping_layers\.\d+\.bias", name)) for name in tensors)
    if not 1 < steps <= MAX_STEPS or not depth:
        raise CheckpointError(
            f"this generator has layers for {steps} sizes and {depth} of mapping; 2 to {MAX_STEPS} and 1 or more are "
            f"needed; {HINT}"
        )
    widths = [_length(tensors, f"layers.{2 * step}.bias") for step in range(steps)]
    fused = [step > 0 and _side(tensors, f"layers.{2 * step}.weight") == FUSED for step in range(steps)]
    dim = _length(tensors, "mapping_layers.0.bias")
    return build_network(lambda: Generator(widths, fused, depth, dim, variant), tensors, "the generator", HINT)


def _length(tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors or tensors[name].ndim != 1:
        raise CheckpointError(f"the generator's tensor {name} is missing or no vector; {HINT}")
    return len(tensors[name])


def _side(tensors: Mapping[str, Tensor], name: str) -> int:
    if name not in tensors or tensors[name].ndim != 4:
        raise CheckpointError(f"the generator's tensor {name} is missing or no kernel; {HINT}")
    return tensors[name].shape[-1]
