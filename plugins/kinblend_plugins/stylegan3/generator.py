"""The generator: mapping network and synthesis network (Karras et al. 2021)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan3.geometry import Geometry
from kinblend_plugins.stylegan3.layers import Dense, FilteredLayer, FourierInput, leaky, normalize

HINT = "import its checkpoint again"
MAX_TAPS = 16  # of a filter, for each pixel of the lower resolution; NVIDIA's have 6


class Generator(nn.Module):
    """z → w by `mapping`, codes → pictures by `forward`.

    widths: channels of the input, then of each layer's output. kernels, taps, radial: of each layer, as
    `FilteredLayer` takes them. depth: layers of the mapping network. dim: dimensions of z and w.
    """

    w_avg: Tensor

    def __init__(
        self,
        geometry: Geometry,
        widths: Sequence[int],
        kernels: Sequence[int],
        taps: Sequence[tuple[int, int]],
        radial: Sequence[bool],
        depth: int,
        dim: int,
    ) -> None:
        super().__init__()
        self.dim, self.geometry = dim, geometry
        self.mapping_layers = nn.ModuleList(Dense(dim, dim) for _ in range(depth))
        size = geometry.input_size(0)
        self.input = FourierInput(dim, widths[0], size, geometry.rate, geometry.bandwidth)
        self.layers = nn.ModuleList(
            FilteredLayer(
                dim,
                widths[index],
                widths[index + 1],
                kernels[index],
                before=geometry.input_size(index),
                after=sampling.size,
                up=sampling.up,
                down=sampling.down,
                taps=taps[index],
                radial=radial[index],
                last=index == len(geometry.layers) - 1,
                clamp=geometry.clamp,
            )
            for index, sampling in enumerate(geometry.layers)
        )
        self.register_buffer("w_avg", torch.zeros(dim))

    @property
    def codes(self) -> int:
        """Layers of a code: one for the input, one for each layer."""
        return len(self.layers) + 1

    @property
    def styles(self) -> list[Dense]:
        """What turns codes into styles, layer by layer of a code."""
        return [self.input.affine, *(cast(FilteredLayer, layer).affine for layer in self.layers)]

    def mapping(self, z: Tensor) -> Tensor:
        """w of z, both [n, D]."""
        x = normalize(z)
        for layer in self.mapping_layers:
            x = leaky(layer(x))
        return x

    def forward(self, codes: Tensor) -> Tensor:
        """codes [n, L, D] → RGB about [−1, 1], [n, 3, R, R]."""
        x = self.input(codes[:, 0])
        for index, layer in enumerate(self.layers):
            x = layer(x, codes[:, index + 1])
        result: Tensor = x * self.geometry.scale
        return result


def build(tensors: Mapping[str, Tensor], geometry: Geometry) -> Generator:
    """The generator that fits `tensors` and `geometry`, holding the tensors, without gradients.

    Raises `CheckpointError` naming the tensor that is missing, unknown or of the wrong shape.
    """
    count = len(geometry.layers)
    depth = sum(bool(re.fullmatch(r"mapping_layers\.\d+\.bias", name)) for name in tensors)
    widths = [len(_shaped(tensors, "input.phases", 1))]
    widths += [len(_shaped(tensors, f"layers.{index}.bias", 1)) for index in range(count)]
    kernels = [_shaped(tensors, f"layers.{index}.weight", 4).shape[-1] for index in range(count)]
    ups, downs = ([_taps(tensors, geometry, index, which) for index in range(count)] for which in ("up", "down"))
    taps = list(zip(ups, downs, strict=True))
    radial = [bool(down) and tensors[f"layers.{index}.down_filter"].ndim == 2 for index, down in enumerate(downs)]
    dim = len(_shaped(tensors, "w_avg", 1))
    return build_network(
        lambda: Generator(geometry, widths, kernels, taps, radial, depth, dim), tensors, "the generator", HINT
    )


def _taps(tensors: Mapping[str, Tensor], geometry: Geometry, index: int, which: str) -> int:
    """How many taps a layer's filter has, 0 for none. Raises `CheckpointError` where it lacks or is too long."""
    name, factor = f"layers.{index}.{which}_filter", getattr(geometry.layers[index], which)
    if name not in tensors:
        if factor > 1:
            raise CheckpointError(f"the generator's tensor {name} is missing, for resampling by {factor}; {HINT}")
        return 0
    length = tensors[name].shape[-1] if tensors[name].ndim in (1, 2) else 0
    if not factor <= length <= MAX_TAPS * factor:
        raise CheckpointError(
            f"the generator's tensor {name} has shape {list(tensors[name].shape)}; {factor} to {MAX_TAPS * factor} "
            f"taps are read; {HINT}"
        )
    return length


def _shaped(tensors: Mapping[str, Tensor], name: str, dims: int) -> Tensor:
    if name not in tensors or tensors[name].ndim != dims:
        raise CheckpointError(f"the generator's tensor {name} is missing or has not {dims} dimensions; {HINT}")
    return tensors[name]
