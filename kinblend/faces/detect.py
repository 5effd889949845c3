"""Where the faces are: MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask
Cascaded Convolutional Networks") through facenet-pytorch, whose wheel holds the weights."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

FIRST_SIDE = 640  # the longest side looked at first
SECOND_SIDE = 1600  # … and where nothing was found there, for small faces in large pictures
SMALLEST = 20  # pixels of a face in the copy looked at
LEAST_PROBABILITY = 0.9


@dataclass(frozen=True)
class Detection:
    """A face's box (left, top, right, bottom) in pixels of the picture, and how sure the detector is."""

    box: tuple[float, float, float, float]
    probability: float

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
    found = _detect_at(image, FIRST_SIDE)
    if not found and max(image.size) > FIRST_SIDE:
        found = _detect_at(image, SECOND_SIDE)
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
    boxes, probabilities = _network().detect(np.asarray(small))
    if boxes is None:
        return []
    across, down = image.width / width, image.height / height
    return [
        Detection((float(b[0] * across), float(b[1] * down), float(b[2] * across), float(b[3] * down)), float(p))
        for b, p in zip(boxes, probabilities, strict=True)
        if p >= LEAST_PROBABILITY
    ]


@cache
def _network() -> Any:
    from kinblend.faces.compat import import_torchvision

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_torchvision()
        from facenet_pytorch import MTCNN

        return MTCNN(keep_all=True, min_face_size=SMALLEST, device="cpu").eval()
