"""Where the faces are: MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask
Cascaded Convolutional Networks") through facenet-pytorch, whose wheel holds the weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
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
MIN_PROBABILITY = 0.9


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
    return detect_many([image])[0]


def detect_many(images: Sequence[Image]) -> list[list[Detection]]:
    """As `detect`, for each of several pictures; those of one size go through the network together."""
    found: list[list[Detection]] = [[] for _ in images]
    left = list(range(len(images)))
    for side in SIDES:
        for place, faces in zip(left, _detect_all([images[place] for place in left], side), strict=True):
            found[place] = faces or found[place]
        left = [place for place in left if not _enough(found[place], side / max(images[place].size))]
    return [sorted(faces, key=lambda face: (face.box[0] + face.box[2], face.box[1])) for faces in found]


def _enough(faces: Sequence[Detection], scale: float) -> bool:
    """Whether a larger copy could show no further face of the foreground. scale: of the copy that was looked at."""
    return scale >= 1 or any(min(face.width, face.height) * scale >= LARGE for face in faces)


def _detect_all(images: Sequence[Image], side: int) -> list[list[Detection]]:
    found: list[list[Detection]] = [[] for _ in images]
    places: dict[tuple[int, int], list[int]] = {}
    for place, image in enumerate(images):
        places.setdefault(image.size, []).append(place)
    for same in places.values():
        for place, faces in zip(same, _detect_at([images[place] for place in same], side), strict=True):
            found[place] = faces
    return found


def _detect_at(images: Sequence[Image], side: int) -> list[list[Detection]]:
    """Faces of pictures of one size, looked for in copies whose longer side is at most `side`."""
    import numpy as np
    from PIL import Image as pil

    whole = images[0].size
    scale = min(1.0, side / max(whole))
    width, height = (max(1, round(length * scale)) for length in whole)
    if min(width, height) < SMALLEST:
        return [[] for _ in images]
    small = [image.convert("RGB") for image in images]
    if scale < 1:
        small = [image.resize((width, height), pil.Resampling.BILINEAR, reducing_gap=2.0) for image in small]
    answers = detector().detect(np.stack([np.asarray(image) for image in small]), landmarks=True)
    scales = np.array([whole[0] / width, whole[1] / height])
    return [
        _detections(boxes, probabilities, points, scales)
        for boxes, probabilities, points in zip(*answers, strict=True)
    ]


def _detections(boxes: Any, probabilities: Any, points: Any, scales: NDArray[Any]) -> list[Detection]:
    import numpy as np

    if boxes is None:
        return []
    found = []
    for box, probability, five in zip(boxes, probabilities, points, strict=True):
        if probability >= MIN_PROBABILITY:
            left, top, right, bottom = (float(v) for v in np.asarray(box, dtype=np.float64) * np.tile(scales, 2))
            places = np.asarray(five, dtype=np.float64) * scales
            found.append(Detection((left, top, right, bottom), float(probability), places))
    return found


@cache
def detector() -> Any:
    """MTCNN, loaded once."""
    from kinblend.faces.facenet_shim import import_mtcnn

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_mtcnn()(keep_all=True, min_face_size=SMALLEST, device="cpu").eval()
