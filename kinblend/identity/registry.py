"""Identity networks by name, each in both its ways: photographs of faces, and pictures to differentiate through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from kinblend.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class Identity:
    """A face recognition network.

    of_faces: square RGB crops in FFHQ geometry → float32 [n, E], each face found and cut as the network wants it.
    of_pictures: float32 [n, 3, S, S] in [−1, 1] → float32 [n, E], differentiable; all cut at the same place.
    size: E. best_side: px of the pictures that give it all it sees.
    """

    name: str
    of_faces: Callable[[Sequence[Image]], Tensor]
    of_pictures: Callable[[Tensor], Tensor]
    size: int
    best_side: int


def identity_by_name(name: str) -> Identity:
    """ "dlib", which is always there, "facenet" or "mobilefacenet". Raises `UsageError` and, without weights,
    `ModelError`."""
    if name not in _MAKERS:
        raise UsageError(f"there is no identity network '{name}'; there are: {', '.join(_MAKERS)}")
    return _MAKERS[name]()


@cache
def _dlib() -> Identity:
    from kinblend.identity.crops import SIDE, chips
    from kinblend.identity.dlib_resnet import CHIP, identity_network
    from kinblend.identity.similarity import embed_faces

    network = identity_network()
    return Identity("dlib", embed_faces, lambda pictures: network(chips(pictures)), 128, round(CHIP / SIDE))


@cache
def _facenet() -> Identity:
    from kinblend.identity import facenet

    facenet.network()
    side = round(facenet.CHIP / (facenet.BOX[2] - facenet.BOX[0]))
    return Identity("facenet", _of_faces(facenet.embed), facenet.embed, 512, side)


@cache
def _mobilefacenet() -> Identity:
    from kinblend.identity import mobilefacenet

    mobilefacenet.network()
    left, _, right, _ = mobilefacenet.BOX
    side = round(mobilefacenet.WIDTH / (right - left))
    return Identity("mobilefacenet", _of_faces(mobilefacenet.embed), mobilefacenet.embed, 256, side)


def _of_faces(embed: Callable[[Tensor], Tensor]) -> Callable[[Sequence[Image]], Tensor]:
    """For a network that sees crops as it sees pictures."""

    def of_faces(crops: Sequence[Image]) -> Tensor:
        import torch

        from kinblend.imaging import to_batch

        with torch.inference_mode():
            return torch.cat([embed(to_batch([crop], 512)) for crop in crops])

    return of_faces


_MAKERS = {"dlib": _dlib, "facenet": _facenet, "mobilefacenet": _mobilefacenet}
