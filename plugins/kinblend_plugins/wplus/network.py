"""Pictures → W+ codes: one w for all layers, and small offsets for each (Tov et al., "Designing an Encoder for
StyleGAN Image Manipulation", 2021, section 4.1: codes near W keep what can be edited).

Two views of a picture are read. The scene, whole, by a residual network (He et al. 2016) that is trained with the
rest. The face, cut out, by dlib's recognition network, which has seen three million photographs and stays as it is:
rendered pictures teach what follows it, and photographs find what they need.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 256  # px of the pictures it takes
WIDTHS, DEPTHS = (64, 96, 192, 384), (2, 2, 3, 2)  # of the scene's stages, at 64, 32, 16 and 8 px
SCENE, FACE = 48, 24  # channels that are left of a map of 8 × 8 before it is read place by place
HIDDEN, RANK = 768, 192
OFFSETS = 0.3  # standard deviations that an offset of 1 is: small ones are learned first
IDENTITY_SIZE = 128


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        new = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(new)))


def _scene(widths: Sequence[int], depths: Sequence[int]) -> nn.Sequential:
    """[n, 3, 256, 256] → [n, widths[-1], 8, 8]."""
    parts: list[nn.Module] = []
    before, stride = 3, 4
    for width, depth in zip(widths, depths, strict=True):
        parts += [
            nn.Conv2d(before, width, stride + 1, stride, stride // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        parts += [ResidualBlock(width) for _ in range(depth)]
        before, stride = width, 2
    return nn.Sequential(*parts)


class EncoderNetwork(nn.Module):
    """float32 [n, 3, 256, 256] in [−1, 1] → w [n, D] and offsets [n, L, D], both in units of the codes' spread.

    layers, dim: of the codes.
    """

    def __init__(self, layers: int, dim: int) -> None:
        super().__init__()
        self.layers, self.dim = layers, dim
        self.scene = _scene(WIDTHS, DEPTHS)
        self.scene_places = nn.Conv2d(WIDTHS[-1], SCENE, 1)
        self.face_places = nn.Conv2d(128, FACE, 1)
        features = (SCENE + FACE) * 64 + 256 * 16 + IDENTITY_SIZE
        self.norm = nn.LayerNorm(features)
        self.read = nn.Linear(features, HIDDEN)
        self.think = nn.Sequential(
            nn.LayerNorm(HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN)
        )
        self.to_w = nn.Linear(HIDDEN, dim)
        self.to_rank = nn.Linear(HIDDEN, RANK)
        self.to_offsets = nn.Linear(RANK, layers * dim, bias=False)
        nn.init.zeros_(self.to_offsets.weight)

    def forward(self, pictures: Tensor, identity: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """identity: what `identity_features` gives of the same pictures."""
        scene = self.scene_places(self.scene(pictures)).flatten(1)
        face, small, embedding = (part.to(scene.dtype) for part in identity)
        features = [scene, self.face_places(face).flatten(1), small.flatten(1), embedding * 4]
        x = self.read(self.norm(torch.cat(features, 1)))
        x = x + self.think(x)
        offsets = self.to_offsets(F.gelu(self.to_rank(x))).unflatten(1, (self.layers, self.dim))
        return self.to_w(x), offsets * OFFSETS
