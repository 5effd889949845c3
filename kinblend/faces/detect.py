"""Where the faces are: MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask
Cascaded Convolutional Networks") through facenet-pytorch, whose wheel holds the weights."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDES = (320, 640, 1600)  # the longest side of the copies looked at, one after the other
SMALLEST = 20  # pixels of a face in the copy looked at
# A copy is enough when its largest face has so many pixels: then every face of a tenth of its area has SMALLEST, too.
LARGE = 80
LEAST_PROBABILITY = 0.9


@dataclass(frozen=True)
class Detection:
    """A face's box (left, top, right, bottom) in pixels of the picture, and how sure the detector is.

    points: float64 [5, 2], both eyes, the nose tip and the mouth's corners, coarse, in pixels of the picture.
    """

    box: tuple[float, float, float, float]
    probability: float
    points: NDArray[Any]

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        return self.width * self.height


def detect(image: Image) -> list[Detection]:
    """All faces of an RGB picture with a probability of at least 0.9, left to right; none gives []."""
    found: list[Detection] = []
    for side in SIDES:
        seen = _detect_at(image, side)
        found = seen or found
        scale = side / max(image.size)
        if scale >= 1 or any(min(face.width, face.height) * scale >= LARGE for face in found):
            break
    return sorted(found, key=lambda face: (face.box[0] + face.box[2], face.box[1]))


def _detect_at(image: Image, side: int) -> list[Detection]:
    import numpy as np
    from PIL import Image as pil

    scale = min(1.0, side / max(image.size))
    width, height = (max(1, round(length * scale)) for length in image.size)
    if min(width, height) < SMALLEST:
        return []
    small = image.convert("RGB")
    if scale < 1:
        small = small.resize((width, height), pil.Resampling.BILINEAR, reducing_gap=2.0)
    boxes, probabilities, points = _network().detect(np.asarray(small), landmarks=True)
    if boxes is None:
        return []
    scales = np.array([image.width / width, image.height / height])
    found = []
    for box, probability, five in zip(boxes, probabilities, points, strict=True):
        if probability >= LEAST_PROBABILITY:
            left, top, right, bottom = (float(v) for v in np.asarray(box, dtype=np.float64) * np.tile(scales, 2))
            places = np.asarray(five, dtype=np.float64) * scales
            found.append(Detection((left, top, right, bottom), float(probability), places))
    return found


@cache
def _network() -> Any:
    from kinblend.faces.compat import import_mtcnn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_mtcnn()(keep_all=True, min_face_size=SMALLEST, device="cpu").eval()
