"""dlib's face recognition network: each face cut out by its landmarks, or where FFHQ's alignment puts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dlib
import numpy as np
import torch
from PIL import Image as pil

from kinblend import IdentityNetwork
from kinblend.cancellation import check_cancelled
from kinblend.face_interfaces import SimilarityScale
from kinblend.faces import predict_in_crop
from kinblend.identity import CHIP, SIDE, chips, identity_network
from kinblend.imaging import to_batch

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

PADDING = 0.25  # of a chip, as dlib cuts them


class DlibIdentity(IdentityNetwork):
    """Embeddings of 128 dimensions; under a distance of 0.6 dlib takes two faces for one person."""

    embedding_size = 128
    # Strangers: 5,151 pairs of the 102 people of the Face Research Lab London Set, middle 90 % 0.77 to 0.90, so
    # that they deviate by (0.90 − 0.77) / 3.29 = 0.04. One
    # person: 57 pairs of photographs of the ten of `openpeople`, 0.96 to 0.99 (benchmarks/similarity_scale.py).
    # Siblings: photographs of Families in the Wild, where strangers have 0.86 (docs/learned-blender.md).
    scale = SimilarityScale(strangers=0.84, siblings=0.90, same_person=0.97, strangers_deviation=0.04)
    input_side = round(CHIP / SIDE)

    def __init__(self) -> None:
        self.network = identity_network()

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        embeddings: Tensor = self.network(chips(pictures))
        return embeddings

    def embed_faces(self, crops: Sequence[Image]) -> Tensor:
        with torch.inference_mode():
            embeddings: Tensor = self.network(to_batch([_chip(crop) for crop in crops]))
        return embeddings


def _chip(crop: Image) -> Image:
    check_cancelled()
    points = dlib.points([dlib.point(round(x), round(y)) for x, y in predict_in_crop(crop)])
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, crop.width, crop.height), points)
    return pil.fromarray(dlib.get_face_chip(np.asarray(crop.convert("RGB")), shape, CHIP, PADDING))
