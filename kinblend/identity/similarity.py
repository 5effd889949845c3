"""Embeddings of aligned faces, and the similarity of children to their parents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinblend.identity.registry import load_identity

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


def embed_faces(crops: Sequence[Image]) -> Tensor:
    """Embeddings of square RGB crops in FFHQ geometry, by the identity network in use: float32 [n, E]."""
    return load_identity().embed_faces(crops)


def face_cosines(crops: Sequence[Image]) -> list[list[float]]:
    """The cosine between the embeddings of all faces, in [−1, 1]: a list for each of them.

    crops: as `embed_faces` takes them.
    """
    from torch.nn.functional import normalize

    embeddings = normalize(embed_faces(crops))
    return [[float(value) for value in row] for row in embeddings @ embeddings.T]


def similarity(parents: Sequence[Image], children: Sequence[Image]) -> list[list[float]]:
    """The cosine between the embeddings of each child and each parent, in [−1, 1]: a list for each child.

    parents, children: crops as `embed_faces` takes them.
    """
    from torch.nn.functional import normalize

    embeddings = normalize(embed_faces([*parents, *children]))
    cosines = embeddings[len(parents) :] @ embeddings[: len(parents)].T
    return [[float(value) for value in row] for row in cosines]
