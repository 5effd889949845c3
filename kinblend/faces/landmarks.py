"""The 68 points of a face, by the landmarker in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kinblend.faces.detect import detect
from kinblend.faces.upright import STRAIGHT
from kinblend.faces.view import Box, View, roll_of, upright_box, view
from kinblend.plugins import load_component

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from kinblend.face_interfaces import Detection, Landmarker

MOST = 1600  # px of the part of a picture that is turned for a landmarker


def landmarker() -> Landmarker:
    """The landmarker in use. Raises `ModelError` where its weights are missing."""
    found: Landmarker = load_component("landmarker")
    return found


def predict(image: Image, box: Sequence[float]) -> NDArray[Any]:
    """The points of the upright face in a detector's box: float64 [68, 2] (x, y) in pixels of the RGB picture."""
    return landmarker().predict(image, box)


def predict_any_way_up(image: Image, face: Detection) -> NDArray[Any]:
    """The points of a face that the detector found, however it is turned: float64 [68, 2], pixels of the picture."""
    seen, box = upright_view(image, face)
    return seen.back(predict(seen.image, box))


def upright_view(image: Image, face: Detection) -> tuple[View, Box]:
    """A picture's part around a face in which that is upright, and the box of the face there.

    All of the picture, as it is, where the face is no more tilted than landmarkers take.
    """
    import numpy as np

    roll = roll_of(face.points)
    if abs(roll) <= STRAIGHT:
        return view(image, 0), face.box
    left, top, right, bottom = face.box
    reach = 1.5 * max(face.width, face.height)
    x, y = (left + right) / 2, (top + bottom) / 2
    seen = view(image, roll, (x - reach, y - reach, x + reach, y + reach), MOST)
    left, top, right, bottom = upright_box(face.box, roll)
    [[x, y]] = seen.into(np.array([[x, y]]))
    across, down = (right - left) / 2 * seen.scale, (bottom - top) / 2 * seen.scale
    return seen, (float(x - across), float(y - down), float(x + across), float(y + down))


def landmarks_in_crop(image: Image) -> NDArray[Any]:
    """The points of the face in a square crop in FFHQ geometry: float64 [68, 2] in its pixels.

    The largest face that the detector finds is used, or FFHQ's usual place of the face where it finds none.
    """
    faces = detect(image, upright=True)
    return predict(image, max(faces, key=lambda face: face.area).box) if faces else predict_in_crop(image)


def predict_in_crop(image: Image) -> NDArray[Any]:
    """The points in a square crop in FFHQ geometry, looked for only where such crops have the face: quick."""
    return landmarker().predict_in_crop(image)
