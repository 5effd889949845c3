"""ResNet-50 that gives a code: He et al., "Deep Residual Learning for Image Recognition" (2016), named as torchvision
names its tensors (`conv1`, `bn1`, `layer1.0.conv1` … `layer4.2.bn3`, `fc`), of which `fc` gives L · D numbers.

The stride of a block is that of its 3 × 3 convolution, as in torchvision and not as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinblend.checkpoints import build_network

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))  # width, blocks, stride of the first
WIDER = 4  # times as many channels come out of a block as are inside
FEATURES = STAGES[-1][0] * WIDER
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures in [0, 1], RGB


class Bottleneck(nn.Module):
    """A residual block: [n, inputs, H, W] → [n, 4 · width, H/stride, W/stride]."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * WIDER
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = (
            nn.Identity()
            if inputs == outputs and stride == 1
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class CodeHead(nn.Linear):
    """The last layer. It stays in float32 when a device pool runs the network in half precision: it has the last word
    on the codes."""

    keep_float32 = ("weight", "bias")

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)


class CodeResNet(nn.Module):
    """Faces, float [n, 3, S, S], RGB in [−1, 1] → codes [n, layers, dim]."""

    def __init__(self, layers: int, dim: int) -> None:
        super().__init__()
        self.layers, self.dim = layers, dim
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for number, (width, blocks, stride) in enumerate(STAGES, start=1):
            parts = [Bottleneck(inputs, width, stride)]
            inputs = width * WIDER
            parts += [Bottleneck(inputs, width, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(*parts))
        self.fc = CodeHead(FEATURES, layers * dim)

    @property
    def stages(self) -> list[nn.Module]:
        """The four groups of blocks, in order."""
        return [self.get_submodule(f"layer{number}") for number in range(1, len(STAGES) + 1)]

    @property
    def offloadable_blocks(self) -> list[nn.Module]:
        """What is used only by being called, one after the other: a device pool may bring it piece by piece."""
        return [self.conv1, self.bn1, *self.stages, self.fc]

    def forward(self, images: Tensor) -> Tensor:
        mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(((images + 1) / 2 - mean) / deviation))), 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
        codes: Tensor = self.fc(x.mean((2, 3)))
        return codes.view(-1, self.layers, self.dim)


def build_resnet(tensors: Mapping[str, Tensor], layers: int, dim: int) -> CodeResNet:
    """The network holding `tensors`, for inference. Counters of a training (`num_batches_tracked`) may be missing.

    Raises `CheckpointError` naming the tensor that does not fit.
    """
    counted = {
        name.removesuffix("running_mean") + "num_batches_tracked": torch.tensor(0)
        for name in tensors
        if name.endswith("running_mean")
    }
    hint = f"a ResNet-50 in torchvision's names, with a layer fc of {layers} × {dim} outputs, is needed"
    return build_network(lambda: CodeResNet(layers, dim), counted | dict(tensors), "the encoder", hint)
