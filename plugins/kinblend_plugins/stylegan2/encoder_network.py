"""A small encoder in the manner of encoder4editing: one code for all layers, and for each layer a step from it.

After Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (2021), section 4.1, with a feature pyramid
and one head a layer as Richardson et al., "Encoding in Style" (2021), section 3. The backbone is the residual
discriminator's, without batch statistics, so that a face's code does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinblend_plugins.stylegan2.layers import Dense, leaky
from kinblend_plugins.stylegan2.residual import Conv, Halving

COARSE, MIDDLE = 3, 7  # the first layers of the middle and of the fine group
SIZES = (4, 8, 16)  # px of the feature maps that the coarse, middle and fine layers look at


class Head(nn.Module):
    """A feature map [n, channels, size, size], halved to 2 × 2 → [n, dim]."""

    def __init__(self, channels: int, size: int, dim: int) -> None:
        super().__init__()
        halvings = size.bit_length() - 2
        self.convs = nn.ModuleList(Conv(channels, channels, 3, stride=2, padding=1) for _ in range(halvings))
        self.out = Dense(4 * channels, dim)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = leaky(conv(x))
        result: Tensor = self.out(x.flatten(1))
        return result


class EncoderNetwork(nn.Module):
    """Faces [n, 3, R, R] in [−1, 1] → codes [n, layers, dim].

    widths: channels at R, R/2, … 4 px; R is at least 16. channels: of the feature pyramid.
    """

    def __init__(self, widths: Sequence[int], channels: int, layers: int, dim: int) -> None:
        super().__init__()
        self.resolution, self.layers, self.dim = 4 * 2 ** (len(widths) - 1), layers, dim
        self.stem = Conv(3, widths[0], 1)
        self.body = nn.ModuleList(Halving(a, b) for a, b in pairwise(widths))
        self.lateral = nn.ModuleList(Conv(widths[-1 - level], channels, 1) for level in range(len(SIZES)))
        self.heads = nn.ModuleList(Head(channels, SIZES[group(layer)], dim) for layer in range(layers))
        for head in list(self.heads)[1:]:  # the steps start from nothing
            nn.init.zeros_(cast(Head, head).out.weight)

    def forward(self, images: Tensor, steps: int | None = None) -> tuple[Tensor, Tensor]:
        """Codes float32 [n, L, D], and of these the steps from the first layer's, [n, L − 1, D].

        steps: how many layers after the first may leave it; the others have steps of zero. None: all.
        """
        pyramid = self._pyramid(images)
        base = self.heads[0](pyramid[0]).float()
        allowed = self.layers - 1 if steps is None else steps
        away = [
            head(pyramid[group(layer)]).float() if layer <= allowed else torch.zeros_like(base)
            for layer, head in enumerate(list(self.heads)[1:], start=1)
        ]
        offsets = torch.stack(away, dim=1)
        return torch.cat([base[:, None], base[:, None] + offsets], dim=1), offsets

    def _pyramid(self, images: Tensor) -> list[Tensor]:
        """Feature maps of the sizes `SIZES`, coarse to fine."""
        x = leaky(self.stem(images))
        taps = [x]
        for block in self.body:
            x = block(x)
            taps.append(x)
        maps: list[Tensor] = []
        for level, lateral in enumerate(self.lateral):
            own = lateral(taps[-1 - level])
            maps.append(own + F.interpolate(maps[-1], scale_factor=2) if maps else own)
        return maps


def group(layer: int) -> int:
    """0 for a coarse layer, 1 for a middle one, 2 for a fine one."""
    return (layer >= COARSE) + (layer >= MIDDLE)


def average_into_biases(network: EncoderNetwork, average: Tensor) -> dict[str, Tensor]:
    """The network's tensors, changed so that it gives codes less `average` [L, D]."""
    tensors = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    away = torch.cat([average[:1], average[1:] - average[:1]])
    for layer, step in enumerate(away):
        tensors[f"heads.{layer}.out.bias"] -= step.to(tensors[f"heads.{layer}.out.bias"])
    return tensors
