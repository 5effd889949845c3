"""Landmarks where dlib's own detector finds the face (King 2009, "Dlib-ml": for faces of 80 pixels and more)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from kinblend.faces.landmarks import predict

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


def dlib_landmarks(image: Image, near: Sequence[float]) -> NDArray[Any] | None:
    """The 68 points of the face that dlib finds, float64 [68, 2]; None where it finds none.

    near: box (left, top, right, bottom) in which the middle of the face must lie.
    """
    import numpy as np

    found = _detector()(np.asarray(image.convert("RGB")), 0)
    boxes = [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found]
    inside = [
        box
        for box in boxes
        if near[0] <= (box[0] + box[2]) / 2 <= near[2] and near[1] <= (box[1] + box[3]) / 2 <= near[3]
    ]
    if not inside:
        return None
    return predict(image, max(inside, key=lambda box: box[2] - box[0]))


@cache
def _detector() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()
