"""The networks of HyperStyle: one finds w of a face, the other how the generator's weights are to change for it.

Alaluf, Tov, Mokady, Gal and Bermano, "HyperStyle: StyleGAN Inversion with HyperNetworks for Real Image Editing"
(2022): `WEncoder`, and `SharedWeightsHyperNetResNet` with its refinement blocks. Tensor names as published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError
from kinblend_plugins.e4e.network import ScaledLinear, body, channels_last, folded, stem
from kinblend_plugins.e4e.restyle_network import CHANNELS, resnet_body

MAP = 512  # channels of the feature map that all refinement blocks look at
KERNEL = 3  # of the convolutions whose changes the shared network makes
_SHARED = "shared_weight_hypernet"
_BLOCK = r"refinement_blocks\.(\d+)\."
_HINT = "a HyperStyle checkpoint is needed"


class WEncoder(nn.Module):
    """Faces float [n, 3, 256, 256] in [−1, 1] → w [n, 512] without the mean w."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer, self.body, self.linear = stem(3), body(), ScaledLinear()

    def fold(self) -> None:
        """Make it faster, for evaluation alone."""
        self.input_layer = folded(self.input_layer, self.body)

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.linear(self.body(self.input_layer(images)).mean((2, 3)))
        return result


class SharedNetwork(nn.Module):
    """Embeddings [n, Z] → changes of a convolution [n, O, I, 3, 3]: for all layers of as many channels."""

    def __init__(self, dim: int, outputs: int, inputs: int) -> None:
        super().__init__()
        self.outputs, self.inputs = outputs, inputs
        self.w1 = nn.Parameter(torch.empty(dim, outputs * KERNEL**2))
        self.b1 = nn.Parameter(torch.empty(outputs * KERNEL**2))
        self.w2 = nn.Parameter(torch.empty(dim, inputs * dim))
        self.b2 = nn.Parameter(torch.empty(inputs * dim))

    def forward(self, embeddings: Tensor) -> Tensor:
        hidden = (embeddings.to(self.w2.dtype) @ self.w2 + self.b2).unflatten(1, (self.inputs, -1))
        # As published, the numbers are not transposed: they are read as outputs × inputs.
        result: Tensor = hidden @ self.w1 + self.b1
        return result.reshape(-1, self.outputs, self.inputs, KERNEL, KERNEL)


@dataclass(frozen=True)
class BlockShape:
    """Of a refinement block. kind: "shared", "own" or "colours"; inner, outer: channels of its convolutions; numbers:
    that an own one gives."""

    kind: str
    inner: int
    outer: int
    numbers: int


class RefinementBlock(nn.Module):
    """The feature map [n, 512, 16, 16] → changes of one layer's weight."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        self.kind = shape.kind
        strides = {"shared": (1, 2, 2, 2, 2), "own": (2, 2, 2), "colours": (2, 2, 2, 2)}[shape.kind]
        channels = [MAP, *[shape.inner] * (len(strides) - 1), shape.outer]
        self.convs = nn.Sequential(
            *(
                part
                for inputs, outputs, stride in zip(channels, channels[1:], strides, strict=False)
                for part in (nn.Conv2d(inputs, outputs, 3, stride, 1), nn.LeakyReLU(0.01))
            )
        )
        if shape.kind == "shared":
            self.linear = ScaledLinear(shape.outer)
        else:
            pools = [nn.AdaptiveAvgPool2d(1)] if shape.kind == "own" else []
            self.output = nn.Sequential(*pools, nn.Conv2d(shape.outer, shape.numbers, 1))

    def forward(self, x: Tensor) -> Tensor:
        """An embedding [n, Z] for the shared network, or a number for each pair of channels, [n, O · I]."""
        x = self.convs(x)
        result: Tensor = self.linear(x.flatten(1)) if self.kind == "shared" else self.output(x).flatten(1)
        return result


class HyperNetwork(nn.Module):
    """A face beside its reconstruction, float [n, 6, 256, 256] in [−1, 1] → changes of the generator's weights.

    blocks: the shapes by the number of the weight, in the order in which the generator uses them. shared: Z, outputs
    and inputs of the shared network.
    """

    def __init__(self, blocks: Mapping[int, BlockShape], shared: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(CHANNELS, 64, 7, 2, 3, bias=False)
        self.bn1, self.relu, self.body = nn.BatchNorm2d(64), nn.PReLU(64), resnet_body()
        self.shared_weight_hypernet = SharedNetwork(*shared)
        self.refinement_blocks = nn.ModuleDict(
            {str(number): RefinementBlock(shape) for number, shape in blocks.items()}
        )

    def fold(self) -> None:
        """Make it faster, for evaluation alone."""
        channels_last(self.body)

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """By the number of the weight: [n, O, I, 3, 3] of shared layers, [n, O · I] of others."""
        x = self.body(self.relu(self.bn1(self.conv1(images))))
        found: dict[int, Tensor] = {}
        for number, block in self.refinement_blocks.items():
            change = block(x)
            shared = cast(RefinementBlock, block).kind == "shared"
            found[int(number)] = self.shared_weight_hypernet(change) if shared else change
        return found


class HyperStyleNetworks(nn.Module):
    """Both networks, as a device pool leases them."""

    def __init__(self, blocks: Mapping[int, BlockShape], shared: tuple[int, int, int]) -> None:
        super().__init__()
        self.w_encoder, self.hypernet = WEncoder(), HyperNetwork(blocks, shared)


def build_hyperstyle(tensors: Mapping[str, Tensor]) -> HyperStyleNetworks:
    """The networks that hold `tensors`, `hypernet.*` and `w_encoder.*`, for inference. Sizes come from the shapes.

    Raises `CheckpointError` naming the tensor that does not fit.
    """
    blocks = _block_shapes(tensors)
    dim, numbers = _shape(tensors, f"hypernet.{_SHARED}.w1", 2)
    inputs = _shape(tensors, f"hypernet.{_SHARED}.w2", 2)[1] // max(dim, 1)
    shared = (dim, numbers // KERNEL**2, inputs)
    found = build_network(lambda: HyperStyleNetworks(blocks, shared), tensors, "the encoder", _HINT)
    found.w_encoder.fold()
    found.hypernet.fold()
    return found


def _block_shapes(tensors: Mapping[str, Tensor]) -> dict[int, BlockShape]:
    names = {name.removeprefix("hypernet.") for name in tensors}
    numbers = sorted({int(found[1]) for name in names if (found := re.match(_BLOCK, name))})
    shapes = {}
    for number in numbers:
        block = f"refinement_blocks.{number}"
        ends = {"shared": "linear.weight", "own": "output.1.weight", "colours": "output.0.weight"}
        kinds = {kind: f"{block}.{end}" for kind, end in ends.items()}
        kind = next((kind for kind, name in kinds.items() if name in names), None)
        if kind is None:
            raise CheckpointError(f"the encoder's {block} is of no kind that is known; {_HINT}")
        last = {"shared": 8, "own": 4, "colours": 6}[kind]
        inner, outer = (_shape(tensors, f"hypernet.{block}.convs.{place}.weight", 4)[0] for place in (0, last))
        given = 0 if kind == "shared" else _shape(tensors, f"hypernet.{kinds[kind]}", 4)[0]
        shapes[number] = BlockShape(kind, inner, outer, given)
    return shapes


def _shape(tensors: Mapping[str, Tensor], name: str, axes: int) -> tuple[int, ...]:
    found = tensors.get(name)
    if found is None or found.ndim != axes:
        raise CheckpointError(f"the encoder's tensor {name} is missing or not of {axes} axes; {_HINT}")
    return tuple(found.shape)
