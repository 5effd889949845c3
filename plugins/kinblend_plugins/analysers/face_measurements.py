"""What landmarks and pixels tell without a network that was trained for it: shape, colours, mouth and eyes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.faces import predict_in_crop
from kinblend.faces.attributes import measure_face

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


def analyse(crops: Sequence[Image]) -> list[dict[str, Any]]:
    """As attributes, all of `kinblend.faces.attributes.NAMES`, and "smile", "mouth open" and "eyes open"."""
    return [{"attributes": _one(crop)} for crop in crops]


def _one(crop: Image) -> dict[str, float]:
    landmarks = predict_in_crop(crop)
    return measure_face(crop, landmarks) | expression(landmarks)


def expression(landmarks: NDArray[Any]) -> dict[str, float]:
    """smile: how far the mouth's corners are above its middle; mouth open: the gap between the lips; both in
    distances between the eyes. eyes open: height over width. landmarks: float [68, 2], upright."""
    right, left = landmarks[36:42], landmarks[42:48]
    apart = float(np.hypot(*(left.mean(axis=0) - right.mean(axis=0))))
    middle = landmarks[[51, 57, 62, 66], 1].mean()
    corners = landmarks[[48, 54], 1].mean()
    gap = np.hypot(*(landmarks[[67, 66, 65]] - landmarks[[61, 62, 63]]).mean(axis=0))
    return {
        "smile": float(middle - corners) / apart,
        "mouth open": float(gap) / apart,
        "eyes open": float(np.mean([_opening(right), _opening(left)])),
    }


def _opening(eye: NDArray[Any]) -> float:
    height = np.hypot(*(eye[[1, 2]].mean(axis=0) - eye[[4, 5]].mean(axis=0)))
    return float(height / np.hypot(*(eye[3] - eye[0])))
