"""How far one picture is from another, differentiably: pixels, edges, identity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.identity.crops import chips
from kinblend.identity.dlib_resnet import MEAN, DlibResNet

FEATURE_BLOCKS = (9, 12)  # of dlib's network: 128 × 8 × 8 and 256 × 4 × 4 go into them
HALVINGS = (1, 2, 4, 8, 16)


def picture_distance(pictures: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute error over five scales, and of the edges at full size: one number a picture, [n].

    pictures, truth: float32 [n, 3, S, S] in [−1, 1]. weight: [n or 1, 1, S, S] in [0, 1], where it counts.
    """
    away = (pictures - truth) * weight
    flat = torch.stack([F.avg_pool2d(away, size).abs().mean((1, 2, 3)) for size in HALVINGS]).mean(0)
    ours, theirs = edges(pictures * weight), edges(truth * weight)
    return flat + sum((a - b).abs().mean((1, 2, 3)) for a, b in zip(ours, theirs, strict=True))


def edges(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbours, across and down."""
    return pictures[..., 1:] - pictures[..., :-1], pictures[..., 1:, :] - pictures[..., :-1, :]


def identity_features(network: DlibResNet, pictures: Tensor) -> list[Tensor]:
    """What dlib's network sees in pictures, [n, 3, S, S] in [−1, 1]: features [n, 128, 8, 8] and
    [n, 256, 4, 4], and the embedding [n, 128]; all float32."""
    mean = pictures.new_tensor(MEAN)[:, None, None]
    seen = ((chips(pictures) + 1) * 127.5 - mean) / 256
    x = F.max_pool2d(F.relu(network.stem(seen.to(network.stem.weight.dtype))), 3, 2)
    found = []
    for number, block in enumerate(network.blocks):
        if number in FEATURE_BLOCKS:
            found.append(x.float())
        x = block(x)
    return [*found, network.head(x.mean(dim=(2, 3))).float()]


def identity_distance(features: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """1 − cosine of the embeddings, [n]; 0 for the same face. Both as `identity_features` gives them."""
    return 1 - F.cosine_similarity(features[-1], truth[-1], dim=1)


def feature_distance(features: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Squared distance of the features before the embedding, channels normalized at each place, [n].

    As LPIPS measures (Zhang et al. 2018), in a network for faces.
    """
    away = [
        (F.normalize(ours, dim=1) - F.normalize(theirs, dim=1)).square().sum(1).mean((1, 2))
        for ours, theirs in zip(features[:-1], truth[:-1], strict=True)
    ]
    return torch.stack(away).mean(0)


def head_weight(size: int, border: float = 0.2) -> Tensor:
    """Where a head is in FFHQ geometry: [1, 1, size, size], 1 in an ellipse, falling to `border` outside."""
    steps = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    away = (x.square() / 0.62 + (y - 0.05).square() / 0.75).sqrt() - 0.85
    return (1 - (1 - border) * away.clamp(0, 0.25) / 0.25)[None, None]


def resized(pictures: Tensor, side: int) -> Tensor:
    """Square pictures [n, 3, S, S] as [n, 3, side, side], averaged where they become smaller; differentiable."""
    if pictures.shape[-1] == side:
        return pictures
    if pictures.shape[-1] % side == 0:
        return F.avg_pool2d(pictures, pictures.shape[-1] // side)
    return F.interpolate(pictures, size=(side, side), mode="bilinear", antialias=True)
