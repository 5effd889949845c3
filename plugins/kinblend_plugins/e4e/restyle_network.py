"""The networks of ReStyle: they look at a face and at what was reconstructed so far, and say how to change the code.

Alaluf, Patashnik and Cohen-Or, "ReStyle: A Residual-Based StyleGAN Encoder via Iterative Refinement" (2021). All
style heads look at the last feature map. Tensor names as published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from kinblend.checkpoints import build_network
from kinblend_plugins.e4e.network import Encoder4Editing, StyleHead, body, channels_last, folded, stack_codes, stem

CHANNELS = 6  # the face's and the reconstruction's
_STAGES = ((64, 64, 3, 1), (64, 128, 4, 2), (128, 256, 6, 2), (256, 512, 3, 2))  # inputs, outputs, blocks, stride


class SquareEncoder(nn.Module):
    """The backbone of encoder4editing without its pyramid (`BackboneEncoder`, `ProgressiveBackboneEncoder`).

    float [n, 6, 256, 256] in [−1, 1] → changes of codes [n, layers, 512]. layers, offsets: as `Encoder4Editing`'s.
    """

    def __init__(self, layers: int, offsets: bool) -> None:
        super().__init__()
        self.offsets = offsets
        self.input_layer, self.body = stem(CHANNELS), body()
        self.styles = nn.ModuleList(StyleHead(16) for _ in range(layers))

    @property
    def offloadable_blocks(self) -> list[nn.Module]:
        """What is used only by being called, one after the other: a device pool may bring it piece by piece."""
        return [self.input_layer, *self.body, *self.styles]

    def fold(self) -> None:
        """Make it faster, for evaluation alone."""
        self.input_layer = folded(self.input_layer, self.body)

    def forward(self, images: Tensor) -> Tensor:
        x = self.body(self.input_layer(images))
        return stack_codes([head(x) for head in self.styles], self.offsets)


class ResNetBlock(nn.Module):
    """A basic block of He et al. 2016: [n, inputs, H, W] → [n, outputs, H/stride, W/stride]."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(residual + self.downsample(x))


def resnet_body() -> nn.Sequential:
    """The blocks of ResNet-34: [n, 64, H, W] → [n, 512, H/8, W/8]."""
    return nn.Sequential(
        *(
            ResNetBlock(inputs if number == 0 else outputs, outputs, stride if number == 0 else 1)
            for inputs, outputs, count, stride in _STAGES
            for number in range(count)
        )
    )


class ResNetEncoder(nn.Module):
    """ResNet-34 without its first pooling (`ResNetBackboneEncoder`, `ResNetProgressiveBackboneEncoder`); else as
    `SquareEncoder`."""

    def __init__(self, layers: int, offsets: bool) -> None:
        super().__init__()
        self.offsets = offsets
        self.conv1 = nn.Conv2d(CHANNELS, 64, 7, 2, 3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(64), nn.PReLU(64)
        self.body = resnet_body()
        self.styles = nn.ModuleList(StyleHead(16) for _ in range(layers))

    @property
    def offloadable_blocks(self) -> list[nn.Module]:
        """What is used only by being called, one after the other: a device pool may bring it piece by piece."""
        return [self.conv1, self.bn1, self.relu, *self.body, *self.styles]

    def fold(self) -> None:
        """Make it faster, for evaluation alone."""
        channels_last(self.body)

    def forward(self, images: Tensor) -> Tensor:
        x = self.body(self.relu(self.bn1(self.conv1(images))))
        return stack_codes([head(x) for head in self.styles], self.offsets)


RestyleNetwork = SquareEncoder | ResNetEncoder | Encoder4Editing


def build_restyle(tensors: Mapping[str, Tensor], layers: int, offsets: bool) -> RestyleNetwork:
    """The network that `tensors` are of, told by their names, holding them, for inference.

    Raises `CheckpointError` naming the tensor that does not fit.
    """

    def empty() -> nn.Module:
        if "conv1.weight" in tensors:
            return ResNetEncoder(layers, offsets)
        if "latlayer1.weight" in tensors:
            return Encoder4Editing(layers, offsets, CHANNELS)
        return SquareEncoder(layers, offsets)

    network = build_network(empty, tensors, "the encoder", f"a ReStyle encoder for {layers} layers is needed")
    network = cast(RestyleNetwork, network)
    network.fold()
    return network
