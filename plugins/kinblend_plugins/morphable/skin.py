"""Which pixels are skin, told from the face's own colours; and a forehead without the hair that hangs over it.

Hair over the forehead is no part of a face: blended with another's bare forehead it is a ghost. So the texture gets a
bare forehead, filled from the skin around, and the hair stays in the photograph that the background is taken from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend_plugins.morphable import geometry

SIZE = 112  # px of the frame's side that skin and hair are told apart at
FAR = 9.0  # squared Mahalanobis distance at which a colour is skin as likely as not
MIN_LIGHT, MIN_TINT = 0.16, 0.05  # least deviations of a skin's brightness and of its tints, in log units
OFFSET = 0.05  # of 1, added to colours, so that black has a logarithm
# log RGB → brightness and two tints
AXES = torch.tensor([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [0.5, 0.5, -1.0]]) / torch.tensor([[3.0], [2.0], [2.0]])


@dataclass(frozen=True)
class SkinColour:
    """A Gaussian over brightness and tints for each face: mean [n, 3], inverse covariance [n, 3, 3]."""

    mean: Tensor
    precision: Tensor

    def distance(self, pictures: Tensor) -> Tensor:
        """Squared Mahalanobis distances of pixels: float32 [n, 3, H, W] in [−1, 1] → [n, 1, H, W]."""
        away = tints(pictures).flatten(2) - self.mean[:, :, None]
        found = torch.einsum("nip,nij,njp->np", away, self.precision, away)
        return found.view(len(pictures), 1, *pictures.shape[2:])

    def likely(self, pictures: Tensor) -> Tensor:
        """How much each pixel looks like this skin, in [0, 1]: [n, 1, H, W]."""
        return torch.sigmoid((FAR - self.distance(pictures)) / 2)


def tints(pictures: Tensor) -> Tensor:
    """Brightness and two tints of pictures in [−1, 1]: [n, 3, H, W]."""
    logs = ((pictures.clamp(-1, 1) + 1) / 2 + OFFSET).log()
    return torch.einsum("ij,njhw->nihw", AXES.to(pictures), logs)


def untinted(values: Tensor) -> Tensor:
    """Brightness and two tints back to pictures, as `tints` took them apart: [n, 3, H, W]."""
    logs = torch.einsum("ij,njhw->nihw", torch.linalg.inv(AXES).to(values), values)
    return ((logs.exp() - OFFSET) * 2 - 1).clamp(-1, 1)


def skin_colour(textures: Tensor, where: Tensor) -> SkinColour:
    """The skin of faces, from the pixels that are surely skin; outliers are left out.

    textures: float32 [n, 3, S, S] in the mean shape's frame. where: weights [SIZE, SIZE].
    """
    small = F.interpolate(textures, size=(SIZE, SIZE), mode="bilinear", antialias=True)
    values, weights = tints(small).flatten(2), where.flatten().expand(len(textures), -1)
    for _ in range(3):
        total = weights.sum(1).clamp_min(1e-6)
        mean = (values * weights[:, None]).sum(2) / total[:, None]
        away = values - mean[:, :, None]
        covariance = torch.einsum("nip,np,njp->nij", away, weights, away) / total[:, None, None]
        floor = torch.tensor([MIN_LIGHT, MIN_TINT, MIN_TINT]).to(values).square().diag()
        precision = torch.linalg.inv(covariance + floor)
        distance = torch.einsum("nip,nij,njp->np", away, precision, away)
        weights = where.flatten() * (distance < FAR)
    return SkinColour(mean, precision)


def sure(points: Tensor) -> Tensor:
    """Where a face is surely skin: the cheeks below the eyes, and the nose. float32 [SIZE, SIZE].

    points: float [63, 2], the mean shape in units of the frame's side.
    """
    at = geometry.pixel_centres(SIZE)
    left = (points[[36, 41, 31, 48, 3]]).mean(0)
    right = (points[[45, 46, 35, 54, 13]]).mean(0)
    centres = torch.stack([left, right, points[28], points[29]])
    return _near(at, centres, 0.055)


def forehead(points: Tensor) -> Tensor:
    """Where hair may hang over a face: 1 above the brows and on the temples, 0 below. float32 [SIZE, SIZE]."""
    at = geometry.pixel_centres(SIZE)
    brows = points[geometry.BROWS]
    above = _step((brows[:, 1].mean() - 0.045 - at[..., 1]) / 0.03)
    half = float(points[16, 0] - points[0, 0]) / 2
    aside = _step(((at[..., 0] - points[27, 0]).abs() - 0.80 * half) / 0.03)
    level = _step((points[[1, 15], 1].mean() - at[..., 1]) / 0.05)
    return torch.maximum(above, aside * level).float()


def bare(textures: Tensor, colour: SkinColour, zone: Tensor) -> tuple[Tensor, Tensor]:
    """Textures without the hair over their foreheads, and where that hair covers them, [n, 1, SIZE, SIZE] in [0, 1].

    Skin is put only where hair covers the face wholly, so that none of it shows under the hair's own edge.
    textures: float32 [n, 3, S, S]. zone: as `forehead` gives it, [SIZE, SIZE].
    """
    small = F.interpolate(textures, size=(SIZE, SIZE), mode="bilinear", antialias=True)
    hair = (1 - colour.likely(small)) * zone.to(small)
    hair = F.avg_pool2d(F.max_pool2d(hair, 3, 1, 1), 3, 1, 1, count_include_pad=False)
    fill = spread(small, (1 - hair).square() * 0.999 + 1e-3)
    hidden = (2 * hair - 1).clamp(min=0)
    hidden, fill = (F.interpolate(x, size=textures.shape[2:], mode="bilinear") for x in (hidden, fill))
    return textures + (fill - textures) * hidden, (2 * hair).clamp(max=1)


def spread(pictures: Tensor, weights: Tensor) -> Tensor:
    """Pictures continued smoothly to where their weights are small: push and pull over a pyramid
    (Gortler et al. 1996, "The Lumigraph", section 3.4)."""
    if pictures.shape[-1] <= 4:
        return (pictures * weights).sum((2, 3), keepdim=True).expand_as(pictures) / weights.sum((2, 3), keepdim=True)
    size = -(-pictures.shape[-1] // 2)
    coarse = F.adaptive_avg_pool2d(weights, size)
    mean = F.adaptive_avg_pool2d(pictures * weights, size) / coarse.clamp_min(1e-8)
    beyond = F.interpolate(spread(mean, coarse), size=pictures.shape[2:], mode="bilinear", align_corners=False)
    return beyond + (pictures - beyond) * weights.clamp(max=1)


def _near(at: Tensor, points: Tensor, reach: float) -> Tensor:
    distance = torch.cdist(at.reshape(-1, 2), points.double()).amin(1).view(at.shape[:2])
    return (distance < reach).float()


def _step(values: Tensor) -> Tensor:
    """0 below 0, 1 above 1, smooth between."""
    t = values.clamp(0, 1)
    return t.square() * (3 - 2 * t)
