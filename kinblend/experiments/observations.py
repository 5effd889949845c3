"""What one sees in children without any model: how large the face is in the head, how sharp, how alike all are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.faces.landmarks import predict_in_crop
from kinblend.faces.quality import sharpness

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

OUTLINE = [*range(17, 27), 54, 57, 48]  # round brows and mouth, of the 68 landmarks


def face_size(landmarks: NDArray[Any]) -> float:
    """How large eyes, nose and mouth are in the head: the root of the area round them, over the head's width at the
    eyes. landmarks: float [68, 2]."""
    x, y = landmarks[OUTLINE].T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return float(np.sqrt(area) / np.hypot(*(landmarks[16] - landmarks[0])))


def observe(crop: Image) -> dict[str, float]:
    """ "face size" and "sharpness" of an RGB crop of 256 px in FFHQ geometry."""
    return {"face size": face_size(predict_in_crop(crop)), "sharpness": sharpness(crop)}


def spread(embeddings: Tensor) -> Tensor:
    """How unlike each face is to the others: 1 less its mean cosine to them. Unit embeddings [n, E] → [n]."""
    count = len(embeddings)
    cosines = embeddings @ embeddings.T
    return 1 - (cosines.sum(1) - cosines.diagonal()) / max(count - 1, 1)


def embed(crops: Sequence[Image]) -> Tensor:
    """Unit embeddings, by the identity network in use: float32 [n, E]."""
    from torch.nn.functional import normalize

    from kinblend.identity import embed_faces

    return normalize(embed_faces(crops), dim=1)
