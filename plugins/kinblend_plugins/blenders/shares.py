"""Strategies whose weight map is written down in the options.

Source: the strategies average, dimension and layer of the student report that kinblend began as; the layer groups of
StyleGAN are those of Karras et al. 2019, section 3 (coarse 4–8 px, middle 16–32 px, fine 64 px and up).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend import Blend, Blender, Context
from kinblend.errors import OptionError, UnsupportedError
from kinblend.interfaces import HasAverage
from kinblend.layers import layer_range
from kinblend_plugins.blenders.files import read_shares
from kinblend_plugins.blenders.options import GROUP_SHARES

if TYPE_CHECKING:
    from pydantic import BaseModel

Shares = dict[int, float] | list[float] | Path

HALF = 0.5  # the share of what is not named, where anything is


class AverageBlender(Blender):
    """One share everywhere; and what sets a parent apart from the mean face counts less or more, by an influence.

    child = mean + share · a · (father − mean) + (1 − share) · b · (mother − mean) for influences a and b; with both
    at 1 the mean cancels out. An average of two people lies nearer to the mean face than either: influences beyond 1
    make up for it, and exaggerate, as caricatures do (Brennan 1985).

    Raises `UnsupportedError` for an influence where the projector knows no mean face.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        projector = context.projector() if context.projector and self._is_influenced else None
        if self._is_influenced and not isinstance(projector, HasAverage):
            who = projector.title if projector else "no backbone"
            raise UnsupportedError(
                f"{who} knows no mean face, from which a parent could differ more: leave out influences"
            )
        self._mean = projector.average() if isinstance(projector, HasAverage) else None

    def warnings(self) -> list[str]:
        chosen = {name: getattr(self.options, f"{name}_influence") for name in ("father", "mother")}
        return [
            f"the {name}'s influence of {value:g} goes beyond what the {name} is: it may look like a caricature"
            for name, value in chosen.items()
            if value > 1
        ]

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        return torch.full_like(father, self.options.share)

    def blend(self, father: Tensor, mother: Tensor, seed: int) -> Blend:
        blend = super().blend(father, mother, seed)
        if self._mean is None:
            return blend
        share, options = self.options.share, self.options
        offset = share * (options.father_influence - 1) * (father - self._mean)
        offset = offset + (1 - share) * (options.mother_influence - 1) * (mother - self._mean)
        return Blend(blend.code + offset, blend.weights, offset=offset)

    @property
    def _is_influenced(self) -> bool:
        return (self.options.father_influence, self.options.mother_influence) != (1, 1)


class DimensionBlender(Blender):
    """A share per dimension, the same in every layer; by default 0 in the first dimension to 1 in the last."""

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        shares, default = self.options.shares, self.options.default
        if shares == {} and default is None:
            return torch.linspace(0, 1, father.shape[1]).expand_as(father).contiguous()
        return _by_dimension(father, shares, default)


class LayerBlender(Blender):
    """A share per layer; where no layer is named, per dimension, which is the report's combination of both.

    By default the backbone's groups of layers have the shares of `GROUP_SHARES` in turn.
    """

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        groups, options = self.context.layer_groups(), self.options
        shares, layers = options.shares, father.shape[0]
        if shares == {} and options.dimensions == {} and options.default is None:
            shares = {name: GROUP_SHARES[place % len(GROUP_SHARES)] for place, name in enumerate(groups)}
        weights = _by_dimension(father, options.dimensions, options.default)
        if not isinstance(shares, dict):
            return _in_full(shares, layers, "layer")[:, None].expand_as(weights).contiguous()
        for name, share in shares.items():
            first, end = layer_range(name, layers, groups)
            weights[first:end] = share
        return weights


def _by_dimension(like: Tensor, shares: Shares, default: float | None) -> Tensor:
    if not isinstance(shares, dict):
        return _in_full(shares, like.shape[1], "dimension").expand_as(like).contiguous()
    weights = torch.full_like(like, HALF if default is None else default)
    for dimension, share in shares.items():
        if not 0 <= dimension < like.shape[1]:
            raise OptionError(f"dimension {dimension}: use 0 to {like.shape[1] - 1}")
        weights[:, dimension] = share
    return weights


def _in_full(shares: list[float] | Path, count: int, what: str) -> Tensor:
    """A list of shares or a file of them → float32 [count]."""
    values = torch.tensor(shares) if isinstance(shares, list) else read_shares(shares, "shares")
    if values.numel() != count:
        raise OptionError(f"{values.numel()} shares were given, but there are {count} {what}s; give one for each")
    return values.reshape(count).float()
