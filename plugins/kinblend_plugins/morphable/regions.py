"""The parts of a face that have components of their own, as soft windows that sum to one.

Eyes, nose and mouth differ independently of each other, so that fewer faces and fewer numbers say more about each of
them than about the face as a whole (Nagel et al. 1996 and Tena et al. 2011 call such models part-based).
"""

from __future__ import annotations

import torch
from torch import Tensor

from kinblend_plugins.morphable import geometry

NAMES = ("eyes", "nose", "mouth", "forehead", "cheeks")
_REACH = {"brows": 0.035, "eyes": 0.035, "nose": 0.045, "mouth": 0.035}  # of the frame's side, around the points
_LEAST = 0.01  # windows end where they are smaller than this


def windows(points: Tensor, size: int) -> Tensor:
    """A window for each of NAMES: float32 [5, size, size], mirror-symmetric, their sum one everywhere.

    points: float [63, 2], the mean shape in units of the frame's side.
    """
    at = geometry.pixel_centres(size)
    eyes = _around(at, points[geometry.EYES], "eyes") + _around(at, points[geometry.BROWS], "brows")
    nose = _around(at, points[geometry.NOSE], "nose")
    mouth = _around(at, points[geometry.MOUTH], "mouth")
    features = torch.stack([eyes, nose, mouth]).clamp(max=1)
    skin = (1 - features.amax(0)).clamp(min=0.02)
    upper = torch.sigmoid((points[geometry.EYES, 1].mean() - at[..., 1]) / 0.04)
    stack = torch.cat([features, torch.stack([skin * upper, skin * (1 - upper)])])
    stack = stack + stack.flip(-1)
    stack = torch.where(stack < _LEAST * stack.sum(0), 0, stack)
    return (stack / stack.sum(0)).float()


def box(window: Tensor) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what a window covers, symmetric about the middle."""
    rows = torch.nonzero(window.amax(1) > 0)[:, 0]
    columns = torch.nonzero(window.amax(0) > 0)[:, 0]
    left = min(int(columns[0]), window.shape[1] - 1 - int(columns[-1]))
    return int(rows[0]), int(rows[-1]) + 1, left, window.shape[1] - left


def _around(at: Tensor, points: Tensor, name: str) -> Tensor:
    distance = torch.cdist(at.reshape(-1, 2), points.double()).amin(1).view(at.shape[:2])
    return torch.exp(-0.5 * (distance / _REACH[name]).square())
