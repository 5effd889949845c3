"""Strategies that a caller brings in Python: an instance, a class, or weights alone."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

from kinblend.errors import UsageError, wrap_plugin_errors
from kinblend.interfaces import Blender, Context
from kinblend.types import WeightMap

if TYPE_CHECKING:
    from torch import Tensor


class GivenWeights(Blender):
    """The same weights for every couple: float32 [L, D] in [0, 1], the father's share."""

    def __init__(self, weights: WeightMap, context: Context) -> None:
        super().__init__(None, context)  # type: ignore[arg-type]
        self.given = weights

    @property
    def title(self) -> str:
        return "the weight map"

    @property
    def sha256(self) -> str:
        """Of the weights, 64 hex digits."""
        return hashlib.sha256(self.given.values.contiguous().numpy().tobytes()).hexdigest()

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        return self.given.values.clone()


def own_blender(strategy: Any, context: Context) -> Blender:
    """The blender that a caller means by a `Blender`, a class of them, a `WeightMap` or a tensor.

    context: what a blender is told that was made without. Raises `UsageError`, `LatentError`, and `PluginError`
    where a class can't be made.
    """
    if isinstance(strategy, type) and issubclass(strategy, Blender):
        with wrap_plugin_errors(f"blender {strategy.__qualname__}"):
            strategy = strategy(cast(Any, None), context)
    if isinstance(strategy, Blender):
        if getattr(strategy, "context", None) is None:
            strategy.context = context
        context.space.require(strategy.space, "blender")
        return strategy
    if not isinstance(strategy, WeightMap):
        if not hasattr(strategy, "shape"):
            raise UsageError(
                f"a {type(strategy).__name__} is no strategy; give a blender's name, a kinblend.Blender, a "
                "kinblend.WeightMap or a torch.Tensor of the father's shares"
            )
        strategy = WeightMap(strategy, context.space)
    context.space.require(strategy.space, "weight map")
    return GivenWeights(WeightMap(strategy.values.detach().cpu().clone(), strategy.space), context)
