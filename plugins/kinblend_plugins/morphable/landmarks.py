"""The 68 landmarks of an aligned crop."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


def landmarks_in_crop(image: Image) -> NDArray[Any]:
    """The landmarks of the face an FFHQ-aligned crop holds, in pixels: float64 [68, 2] (x, y)."""
    from kinblend.faces import landmarks_in_crop as find

    return np.asarray(find(image), dtype=np.float64)


def predict(pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """dlib's predictor (Kazemi and Sullivan 2014) in dlib's box or FFHQ's usual one; quick, for training."""
    import dlib

    detector, predictor = _dlib()
    size = pixels.shape[0]
    found = detector(pixels, 0)
    usual = dlib.rectangle(int(0.24 * size), int(0.36 * size), int(0.76 * size), int(0.88 * size))
    box = max(found, key=lambda r: r.area()) if found else usual
    return np.array([(p.x, p.y) for p in predictor(pixels, box).parts()], dtype=np.float64)


@cache
def _dlib() -> tuple[Any, Any]:
    from importlib.util import find_spec
    from pathlib import Path

    import dlib

    spec = find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the landmark predictor is in the package face-recognition-models; install it")
    path = Path(spec.submodule_search_locations[0], "models", "shape_predictor_68_face_landmarks.dat")
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(path))
