"""The network of encoder4editing and pSp: a squeeze-and-excitation ResNet-50, a feature pyramid, one head a layer.

After Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (2021), on the backbone of Deng et al.,
"ArcFace" (2019), and the heads of Richardson et al., "Encoding in Style" (2021). Tensor names as published.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import fuse_conv_bn_eval

_STAGES = ((64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3))  # inputs, outputs, blocks
_TAPS = (6, 20, 23)  # the blocks after which the three feature maps are taken
_COARSE, _MIDDLE = 3, 7  # the first layers of the middle and of the fine group


class SqueezeExcitation(nn.Module):
    """Scales each channel of [n, C, H, W] by a share in (0, 1) that its mean decides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3), keepdim=True)))))


class Subsample(nn.Module):
    """Every `stride`-th row and column: what a max pool of size 1 gives, without looking for maxima."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride]


class Block(nn.Module):
    """A residual block: [n, inputs, H, W] → [n, outputs, H/stride, W/stride]."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer = (
            Subsample(stride)
            if inputs == outputs
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcitation(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return result

    def fold(self) -> None:
        """Multiply the normalisations that follow a convolution into its weights. Only for evaluation.

        The one before the first convolution stays: the zeros around its output are not normalised.
        """
        conv, norm = cast(nn.Conv2d, self.res_layer[3]), cast(nn.BatchNorm2d, self.res_layer[4])
        self.res_layer[3], self.res_layer[4] = fuse_conv_bn_eval(conv, norm), nn.Identity()
        if isinstance(self.shortcut_layer, nn.Sequential):
            self.shortcut_layer = fuse_conv_bn_eval(*self.shortcut_layer)


class ScaledLinear(nn.Module):
    """A linear layer whose stored weights have unit variance: they are divided by the root of its size.

    It stays in float32 when a device pool runs the network in half precision: it has the last word on the codes.
    """

    keep_float32 = ("weight", "bias")

    def __init__(self, size: int = 512) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(size, size))
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight / math.sqrt(len(self.bias)), self.bias)


class StyleHead(nn.Module):
    """A feature map [n, 512, size, size], halved until one pixel is left → [n, 512]."""

    def __init__(self, size: int) -> None:
        super().__init__()
        halvings = size.bit_length() - 1
        self.convs = nn.Sequential(
            *(part for _ in range(halvings) for part in (nn.Conv2d(512, 512, 3, 2, 1), nn.LeakyReLU(0.01)))
        )
        self.linear = ScaledLinear()

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = self.convs
        x = first(x).contiguous()  # on a CPU small maps are faster with channels first
        for part in rest:
            x = part(x)
        result: Tensor = self.linear(x.flatten(1))
        return result


class Encoder4Editing(nn.Module):
    """Faces float [n, 3, 256, 256] in [−1, 1] → codes [n, layers, 512] without the latent average.

    layers: 2·log2(resolution) − 2 of the generator, 10 to 18. offsets: whether the heads after the first give offsets
    from what the first gives (Tov et al.), or whole codes (Richardson et al.). channels: of the images; 6 where
    another picture comes with each face (`restyle_network`).
    """

    def __init__(self, layers: int, offsets: bool = True, channels: int = 3) -> None:
        super().__init__()
        self.offsets = offsets
        self.input_layer, self.body = stem(channels), body()
        self.styles = nn.ModuleList(
            StyleHead(16 if i < _COARSE else 32 if i < _MIDDLE else 64) for i in range(layers)
        )
        self.latlayer1 = nn.Conv2d(256, 512, 1)
        self.latlayer2 = nn.Conv2d(128, 512, 1)

    @property
    def offloadable_blocks(self) -> list[nn.Module]:
        """What is used only by being called, one after the other: a device pool may bring it piece by piece."""
        return [self.input_layer, *self.body, self.latlayer1, self.latlayer2, *self.styles]

    def fold(self) -> None:
        """Make it faster, for evaluation alone: fewer layers, and the channels of the large maps last."""
        self.input_layer = folded(self.input_layer, self.body)

    def forward(self, images: Tensor) -> Tensor:
        coarse, middle, fine = self.features(images)
        codes = [
            head(coarse if layer < _COARSE else middle if layer < _MIDDLE else fine)
            for layer, head in enumerate(self.styles)
        ]
        return stack_codes(codes, self.offsets)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pyramid, coarse to fine: [n, 512, 16, 16], [n, 512, 32, 32], [n, 512, 64, 64]."""
        x, taps = self.input_layer(images.contiguous(memory_format=torch.channels_last)), []
        for index, block in enumerate(self.body):
            x = block(x)
            if index in _TAPS:
                taps.append(x)
        fine, middle, coarse = taps
        middle = _enlarge_and_add(coarse, self.latlayer1(middle))
        return coarse, middle, _enlarge_and_add(middle, self.latlayer2(fine))


def stem(channels: int) -> nn.Sequential:
    """What looks at the pixels: [n, channels, H, W] → [n, 64, H, W]."""
    return nn.Sequential(nn.Conv2d(channels, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))


def body() -> nn.Sequential:
    """The residual blocks: [n, 64, H, W] → [n, 512, H/16, W/16]."""
    blocks = []
    for inputs, outputs, count in _STAGES:
        blocks += [Block(inputs, outputs, 2)] + [Block(outputs, outputs, 1) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


def folded(first: nn.Sequential, blocks: nn.Sequential) -> nn.Sequential:
    """A stem whose normalisation is multiplied into its weights; that of the blocks behind it is as well."""
    result = nn.Sequential(fuse_conv_bn_eval(cast(nn.Conv2d, first[0]), cast(nn.BatchNorm2d, first[1])), first[2])
    for block in blocks:
        cast(Block, block).fold()
    for module in (result, blocks):
        channels_last(module)
    return result


def stack_codes(codes: list[Tensor], offsets: bool) -> Tensor:
    """What the heads give, [n, 512] each, as codes [n, L, 512]. offsets: as `Encoder4Editing` takes it."""
    if offsets:
        codes[1:] = [codes[0] + code for code in codes[1:]]
    return torch.stack(codes, dim=1)


def _enlarge_and_add(small: Tensor, large: Tensor) -> Tensor:
    return F.interpolate(small, size=large.shape[-2:], mode="bilinear", align_corners=True) + large


def channels_last(module: nn.Module) -> None:
    """Lay the module's maps and weights out with the channels last."""
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
