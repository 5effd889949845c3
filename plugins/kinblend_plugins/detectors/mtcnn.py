"""MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks")
through facenet-pytorch, whose wheel holds the weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.face_interfaces import Detection, FaceDetector
from kinblend_plugins.package_shims import import_mtcnn

if TYPE_CHECKING:
    from PIL.Image import Image

MIN_PROBABILITY = 0.9


class MtcnnDetector(FaceDetector):
    """Faces of 20 px and more with a probability of at least 0.9."""

    min_size = 20

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: Any = import_mtcnn()(keep_all=True, min_face_size=self.min_size, device="cpu")
        self.network = network.eval()

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        stacked = np.stack([np.asarray(image.convert("RGB")) for image in images])
        answers = self.network.detect(stacked, landmarks=True)
        return [_detections(*answer) for answer in zip(*answers, strict=True)]


def _detections(boxes: Any, probabilities: Any, points: Any) -> list[Detection]:
    if boxes is None:
        return []
    found = []
    for box, probability, five in zip(boxes, probabilities, points, strict=True):
        if probability >= MIN_PROBABILITY:
            left, top, right, bottom = (float(value) for value in np.asarray(box, dtype=np.float64))
            found.append(
                Detection((left, top, right, bottom), float(probability), np.asarray(five, dtype=np.float64))
            )
    return found
