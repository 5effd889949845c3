"""The 68 points of a face, by the landmarker in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kinblend.faces.detect import detect
from kinblend.plugins import load_component

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from kinblend.face_interfaces import Landmarker


def landmarker() -> Landmarker:
    """The landmarker in use. Raises `ModelError` where its weights are missing."""
    found: Landmarker = load_component("landmarker")
    return found


def predict(image: Image, box: Sequence[float]) -> NDArray[Any]:
    """The points of the face in a detector's box: float64 [68, 2] (x, y) in pixels of the RGB picture."""
    return landmarker().predict(image, box)


def landmarks_in_crop(image: Image) -> NDArray[Any]:
    """The points of the face in a square crop in FFHQ geometry: float64 [68, 2] in its pixels.

    The largest face that the detector finds is used, or FFHQ's usual place of the face where it finds none.
    """
    faces = detect(image)
    return predict(image, max(faces, key=lambda face: face.area).box) if faces else predict_in_crop(image)


def predict_in_crop(image: Image) -> NDArray[Any]:
    """The points in a square crop in FFHQ geometry, looked for only where such crops have the face: quick."""
    return landmarker().predict_in_crop(image)
