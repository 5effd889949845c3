"""Strategies whose weight map is written down in the options.

Source: the strategies average, dimension and layer of the student report that kinblend began as; the layer groups of
StyleGAN are those of Karras et al. 2019, section 3 (coarse 4–8 px, middle 16–32 px, fine 64 px and up).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from kinblend import Blender
from kinblend.errors import OptionError
from kinblend.layers import layer_range
from kinblend_plugins.blenders.files import read_shares
from kinblend_plugins.blenders.options import GROUP_SHARES

Shares = dict[int, float] | list[float] | Path

HALF = 0.5  # the share of what is not named, where anything is


class AverageBlender(Blender):
    """One share everywhere."""

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        return torch.full_like(father, self.options.share)


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
