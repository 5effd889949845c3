"""The shape of the face in an aligned crop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from kinblend.faces import predict_in_crop
from kinblend_plugins.morphable.geometry import shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


def find_shape(crop: Image) -> Tensor:
    """Of the face an FFHQ-aligned crop holds, in units of its side: float64 [63, 2]."""
    return to_shape(predict_in_crop(crop), crop.width)


def to_shape(landmarks: NDArray[Any], size: int) -> Tensor:
    """68 landmarks in pixels of a crop of that size → float64 [63, 2] in units of its side."""
    points = torch.from_numpy((np.asarray(landmarks, dtype=np.float64) + 0.5) / size)
    return shape_of(points)
