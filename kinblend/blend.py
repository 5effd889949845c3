"""How a child's code is computed of two: the weighted sum, and what a blender returns.

`Engine._blend` asks a `kinblend.Blender` for a `Blend`. Unless a blender overrides it, `Blender.blend` makes that by
`weighted_sum` with what `Blender.weights` returns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from kinblend.types import WeightMap


def weighted_sum(father: Tensor, mother: Tensor, weights: Tensor) -> Tensor:
    """father·w + mother·(1 − w), kept within both parents element by element despite rounding.

    All three broadcast to one shape; float32 in and out.
    """
    import torch

    child = father * weights + mother * (1 - weights)
    return torch.minimum(torch.maximum(child, torch.minimum(father, mother)), torch.maximum(father, mother))


@dataclass(frozen=True)
class Region:
    """A part of the picture that is drawn from one parent's code in the place of the child's.

    Args:
        parent: whose code.
        shape: where its forms are taken, float32 [S, S] in [0, 1], over a picture in FFHQ geometry.
        colour: where its colours are taken, too, likewise; nowhere beyond `shape`.

    Example:
        >>> import torch
        >>> Region("father", torch.ones(64, 64), torch.zeros(64, 64)).parent
        'father'
    """

    parent: Literal["father", "mother"]
    shape: Tensor
    colour: Tensor


@dataclass(frozen=True)
class Blend:
    """What a blender gives.

    Args:
        code: the child's, float32 [L, D].
        weights: the weight map, where the blend is a weighted sum.
        share: the father's mean share where it is none, in [0, 1]; the detail is blended by it.
        offset: what of the code is no weighted sum, float32 [L, D]: code = weighted sum + offset; None for nothing.
        regions: parts of the picture that come from one parent alone; needs a projector that
            `kinblend.interfaces.BlendsRegions`. One for each parent at most.

    Example:
        >>> import torch
        >>> Blend(torch.zeros(4, 512)).share
        0.5
    """

    code: Tensor
    weights: WeightMap | None = None
    share: float = 0.5
    offset: Tensor | None = None
    regions: tuple[Region, ...] = ()
