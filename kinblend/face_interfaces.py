"""What looks at faces: detectors, landmarkers, identity networks, upscalers.

Such a plugin is a class that is made without arguments, once, when it is first needed; its constructor loads the
weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class Detection:
    """A face that a detector found.

    box: (left, top, right, bottom) in pixels of the picture, from the forehead's top to the chin.
    probability: how sure the detector is, in [0, 1].
    points: float64 [5, 2] (x, y), both eyes, the nose tip and the mouth's corners, coarse, in pixels of the picture.
    """

    box: tuple[float, float, float, float]
    probability: float
    points: NDArray[Any]

    @property
    def width(self) -> float:
        """Of the box, in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Of the box, in pixels."""
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return self.width * self.height


class FaceComponent:
    """What the four have in common. kind, name, distribution: as for `kinblend.interfaces.Plugin`."""

    kind: ClassVar[str] = "component"
    name: str = ""
    distribution: str = ""

    @property
    def title(self) -> str:
        """Who this is, for messages: "detector 'mine' of mine 1.0"."""
        return f"{self.kind} '{self.name}' of {self.distribution or '?'}"


class FaceDetector(FaceComponent, ABC):
    """Pictures → the faces in them.

    min_size: the shorter side, in pixels, of the smallest face it finds.
    """

    kind: ClassVar[str] = "detector"
    min_size: int = 20

    @abstractmethod
    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """The faces of RGB pictures that all have one size, in any order; [] for a picture without any.

        kinblend shows it copies of a photograph, the longer side at most 320, then 640, then 1600 px.
        """


class Landmarker(FaceComponent, ABC):
    """A face's box → its 68 points in the order of iBUG 300-W."""

    kind: ClassVar[str] = "landmarker"

    @abstractmethod
    def predict(self, image: Image, box: Sequence[float]) -> NDArray[Any]:
        """The points of one face: float64 [68, 2] (x, y) in pixels of the RGB picture.

        box: (left, top, right, bottom) as in `Detection`, in pixels.
        """

    @abstractmethod
    def predict_in_crop(self, image: Image) -> NDArray[Any]:
        """The points in a square crop in FFHQ geometry, where such crops have the face: float64 [68, 2] in its
        pixels."""

    def predict_by_own_detector(self, image: Image, near: Sequence[float]) -> NDArray[Any] | None:
        """The points of the face that the landmarker's own detector finds; None where it has none, or finds none.

        near: box (left, top, right, bottom) in which the middle of the face must lie.
        """
        return None


@dataclass(frozen=True)
class SimilarityScale:
    """What cosines of an identity network mean: the mean of pairs of each kind, None where it was not measured.

    Args:
        strangers: photographs of two unrelated people.
        siblings: of a brother or a sister.
        same_person: two photographs of one person.
        strangers_deviation: standard deviation of the first; with it a cosine can be told as a share of such pairs.

    Example:
        >>> str(SimilarityScale(0.1, None, 0.8))
        'strangers 0.10, one person 0.80'
    """

    strangers: float
    siblings: float | None = None
    same_person: float | None = None
    strangers_deviation: float | None = None

    def __str__(self) -> str:
        named = {"strangers": self.strangers, "siblings": self.siblings, "one person": self.same_person}
        return ", ".join(f"{name} {value:.2f}" for name, value in named.items() if value is not None)


class IdentityNetwork(FaceComponent, ABC):
    """A face recognition network: faces → embeddings, compared by their cosine. Implement `embed_pictures`.

    Attributes:
        embedding_size: E.
        input_side: px of the FFHQ crops that give it all it sees.
        scale: what its cosines mean, shown beside them; None where it was not measured.

    Example:
        >>> class Mean(IdentityNetwork):
        ...     embedding_size, input_side = 3, 64
        ...     def embed_pictures(self, pictures):
        ...         return pictures.mean((2, 3))
        >>> import torch
        >>> tuple(Mean().embed_pictures(torch.zeros(2, 3, 64, 64)).shape)
        (2, 3)
    """

    kind: ClassVar[str] = "identity-network"
    embedding_size: int
    input_side: int
    scale: ClassVar[SimilarityScale | None] = None

    @abstractmethod
    def embed_pictures(self, pictures: Tensor) -> Tensor:
        """Embeddings of pictures in FFHQ geometry, all cut at the same place; differentiable.

        pictures: float32 [n, 3, S, S], RGB in [−1, 1]. Returns float32 [n, E], of any length.
        """

    def embed_faces(self, crops: Sequence[Image]) -> Tensor:
        """Embeddings of square RGB crops in FFHQ geometry: float32 [n, E]. Override where the network wants each face
        cut out by its own landmarks."""
        import torch

        from kinblend.imaging import to_batch

        with torch.inference_mode():
            return torch.cat([self.embed_pictures(to_batch([crop], 512)) for crop in crops])


class Upscaler(FaceComponent, ABC):
    """Small pictures → larger ones. factor: how many times as wide and high."""

    kind: ClassVar[str] = "upscaler"
    factor: int = 4

    @abstractmethod
    def upscale(self, images: Sequence[Image]) -> list[Image]:
        """RGB pictures of one size → the same ones, `factor` times as wide and high."""


BASES: dict[str, type[FaceComponent]] = {
    base.kind: base for base in (FaceDetector, Landmarker, IdentityNetwork, Upscaler)
}
