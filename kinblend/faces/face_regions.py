"""Where the parts of a face are in a picture, told from its 68 landmarks (iBUG 300-W)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.faces.landmarks import predict_in_crop

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

REGIONS = ("eyes", "brows", "nose", "mouth", "skin", "hair and background")
# Outlines or lines of the parts, by landmark; how far round them the part goes, in distances between the eyes.
_PARTS = {
    "eyes": (([*range(36, 42)], [*range(42, 48)]), 0.10),
    "brows": (([*range(17, 22)], [*range(22, 27)]), 0.08),
    "nose": (([27, 31, 32, 33, 34, 35],), 0.08),
    "mouth": (([*range(48, 60)],), 0.06),
}
_FOREHEAD = 0.8  # distances between the eyes that the forehead reaches above the brows


def region_masks(crop: Image) -> Tensor:
    """float32 [R, H, W] of zeros and ones, in the order of `REGIONS`; each pixel belongs to one of them.

    crop: RGB in FFHQ geometry. What is not in the outline of the face is "hair and background".
    """
    import torch

    return torch.from_numpy(masks_of(predict_in_crop(crop), crop.size)).float()


def masks_of(landmarks: NDArray[Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """As `region_masks`, of points [68, 2] in a picture of that width and height: bool [R, H, W]."""
    apart = float(np.hypot(*(landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0))))
    found = {}
    free = np.ones(size[::-1], bool)
    for name, (outlines, margin) in _PARTS.items():
        part = np.zeros_like(free)
        for places in outlines:
            part |= filled(landmarks[places], size, margin * apart)
        found[name] = part & free
        free &= ~part
    upward = np.array([0.0, _FOREHEAD * apart])
    face = filled(np.concatenate([landmarks[:17], landmarks[26:16:-1] - upward]), size, 0)
    found["skin"] = face & free
    found["hair and background"] = free & ~face
    return np.stack([found[name] for name in REGIONS])


def filled(outline: NDArray[Any], size: tuple[int, int], margin: float) -> NDArray[np.bool_]:
    """The pixels inside a polygon [n, 2] or within `margin` pixels of its outline: bool [H, W]."""
    from PIL import Image as pil
    from PIL import ImageDraw

    canvas = pil.new("1", size)
    draw = ImageDraw.Draw(canvas)
    points = [(float(x), float(y)) for x, y in outline]
    draw.polygon(points, fill=1)
    width = max(1, round(2 * margin))
    draw.line([*points, points[0]], fill=1, width=width)
    for x, y in points:
        draw.ellipse((x - margin, y - margin, x + margin, y + margin), fill=1)
    return np.asarray(canvas)
