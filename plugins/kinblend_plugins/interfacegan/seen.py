"""An attribute as a picture shows it, rather than as its code tells: what a target in years is checked by."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kinblend import Context
from kinblend.identity.network import identity_network
from kinblend.inversion import identity_features

SIZE = 256  # px of the pictures that are looked at


@dataclass(frozen=True)
class Seen:
    """A linear reading of what dlib's recognition network makes of a picture.

    weight: float32 [F], of `picture_features`. bias: what is added. grown: in the attribute's own unit, where the
    logarithmic scale below it meets the linear one above.
    """

    weight: Tensor
    bias: float
    grown: float

    def value(self, features: Tensor) -> Tensor:
        """The attribute in its own unit, float32 [n], of features [n, F]."""
        even = features @ self.weight + self.bias
        return torch.where(even < self.grown, self.grown * (even / self.grown - 1).exp(), even)


def picture_features(pictures: Tensor) -> Tensor:
    """[n, 3, S, S] in [−1, 1], in FFHQ geometry → float32 [n, 4224]: the last feature map, 256 × 4 × 4, and the
    embedding, 128, of dlib's recognition network."""
    _, last, embedding = identity_features(identity_network(), pictures.float().cpu().clamp(-1, 1))
    return torch.cat([last.flatten(1), embedding], 1)


def looker(context: Context) -> Callable[[Tensor], Tensor] | None:
    """A function from codes [n, L, D] to the features of their pictures; None where there is no backbone to draw
    them."""
    if context.projector is None:
        return None
    draw = context.projector().preview(SIZE)

    def look(codes: Tensor) -> Tensor:
        with torch.inference_mode():
            return picture_features(draw(codes)).clone()

    return look
