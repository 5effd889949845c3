"""face-api's two networks in PyTorch: age and gender, and seven expressions.

Pictures are float32 [n, 3, 112, 112], RGB less the mean of faces, over 255. Parameters are called as in the
published manifests, with dots for slashes. Source of the first architecture: Chollet, "Xception", 2017, made small;
of the second: Huang and others, "Densely Connected Convolutional Networks", 2017, made small, with sums.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EXPRESSIONS = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
DENSE = (32, 64, 128, 256)  # channels of the blocks


class AgeGender(nn.Module):
    """Pictures → years [n] and how likely each face is male, [n] in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.entry_flow = nn.ModuleDict(
            {
                "conv_in": _Convolution(3, 32),
                "reduction_block_0": _Reduction(32, 64, activate=False),
                "reduction_block_1": _Reduction(64, 128),
            }
        )
        self.middle_flow = nn.ModuleDict({f"main_block_{number}": _Main(128) for number in range(2)})
        self.exit_flow = nn.ModuleDict(
            {"reduction_block": _Reduction(128, 256), "separable_conv": _Separable(256, 512)}
        )
        self.fc = nn.ModuleDict({"age": _Linear(512, 1), "gender": _Linear(512, 2)})

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.entry_flow.values():
            x = block(x).relu() if isinstance(block, _Convolution) else block(x)
        for block in self.middle_flow.values():
            x = block(x)
        x = self.exit_flow["reduction_block"](x)
        features = self.exit_flow["separable_conv"](x).relu().mean((2, 3))
        male: Tensor = self.fc["gender"](features).softmax(1)[:, 0]
        return self.fc["age"](features)[:, 0], male


class Expression(nn.Module):
    """Pictures → how likely each of `EXPRESSIONS` is, [n, 7]."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (32, *DENSE[:-1])
        for number, (before, after) in enumerate(zip(inputs, DENSE, strict=True)):
            self.add_module(f"dense{number}", _Dense(before, after, first=number == 0))
        self.fc = _Linear(DENSE[-1], len(EXPRESSIONS))

    def forward(self, x: Tensor) -> Tensor:
        for number in range(len(DENSE)):
            x = self.get_submodule(f"dense{number}")(x)
        found: Tensor = self.fc(x.mean((2, 3))).softmax(1)
        return found


class _Convolution(nn.Module):
    """3 × 3, every second pixel."""

    def __init__(self, inputs: int, outputs: int, size: int = 3) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.zeros(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(_padded(x, self.filters.shape[2], 2), self.filters, self.bias, stride=2)


class _Separable(nn.Module):
    """3 × 3 channel by channel, then 1 × 1."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise_filter = nn.Parameter(torch.zeros(inputs, 1, 3, 3))
        self.pointwise_filter = nn.Parameter(torch.zeros(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(_padded(x, 3, self.stride), self.depthwise_filter, stride=self.stride, groups=x.shape[1])
        return F.conv2d(x, self.pointwise_filter, self.bias)


class _Reduction(nn.Module):
    """Half the side. activate: what comes in."""

    def __init__(self, inputs: int, outputs: int, activate: bool = True) -> None:
        super().__init__()
        self.separable_conv0 = _Separable(inputs, outputs)
        self.separable_conv1 = _Separable(outputs, outputs)
        self.expansion_conv = _Convolution(inputs, outputs, 1)
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        y = self.separable_conv1(self.separable_conv0(x.relu() if self.activate else x).relu())
        pooled = F.max_pool2d(_padded(y, 3, 2, -torch.inf), 3, 2)
        added: Tensor = pooled + self.expansion_conv(x)
        return added


class _Main(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        for step in range(3):
            self.add_module(f"separable_conv{step}", _Separable(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for step in range(3):
            y = self.get_submodule(f"separable_conv{step}")(y.relu())
        return x + y


class _Dense(nn.Module):
    """Four convolutions, each of the sum of all before it; the first halves the side."""

    def __init__(self, inputs: int, outputs: int, first: bool) -> None:
        super().__init__()
        self.conv0 = _Convolution(3, outputs) if first else _Separable(inputs, outputs, stride=2)
        for step in range(1, 4):
            self.add_module(f"conv{step}", _Separable(outputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.conv0(x).relu()
        added = total
        for step in range(1, 4):
            added = added + self.get_submodule(f"conv{step}")(total)
            total = added.relu()
        return total


class _Linear(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = x @ self.weights + self.bias
        return found


def _padded(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Padding as TensorFlow's "same": what is odd goes to the right and below."""
    sides: list[int] = []
    for size in (x.shape[3], x.shape[2]):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides, value=value)
