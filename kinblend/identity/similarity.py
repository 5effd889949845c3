"""Embeddings of aligned faces, and the similarity of children to their parents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinblend.cancellation import check_cancelled
from kinblend.faces.landmarks import predict_in_crop

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

PADDING = 0.25  # of a chip, as dlib cuts them


def embed_faces(crops: Sequence[Image]) -> Tensor:
    """Embeddings of square RGB crops in FFHQ geometry: float32 [n, 128]."""
    import torch

    from kinblend.identity.dlib_resnet import identity_network
    from kinblend.imaging import to_batch

    with torch.inference_mode():
        embeddings: Tensor = identity_network()(to_batch([_chip(crop) for crop in crops]))
    return embeddings


def similarity(parents: Sequence[Image], children: Sequence[Image]) -> list[list[float]]:
    """The cosine between the embeddings of each child and each parent, in [−1, 1]: a list for each child.

    parents, children: crops as `embed_faces` takes them.
    """
    from torch.nn.functional import normalize

    embeddings = normalize(embed_faces([*parents, *children]))
    cosines = embeddings[len(parents) :] @ embeddings[: len(parents)].T
    return [[float(value) for value in row] for row in cosines]


def _chip(crop: Image) -> Image:
    import dlib
    import numpy as np
    from PIL import Image as pil

    from kinblend.identity.dlib_resnet import CHIP

    check_cancelled()
    points = dlib.points([dlib.point(round(x), round(y)) for x, y in predict_in_crop(crop)])
    shape = dlib.full_object_detection(dlib.rectangle(0, 0, crop.width, crop.height), points)
    return pil.fromarray(dlib.get_face_chip(np.asarray(crop.convert("RGB")), shape, CHIP, PADDING))
