"""The layers that an edit, or a direction, is to touch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kinblend import LatentSpace
from kinblend.errors import UsageError
from kinblend.layers import layer_range


def layer_slice(
    layers: tuple[int, int] | str | None, space: LatentSpace, groups: Callable[[], Mapping[str, tuple[int, int]]]
) -> slice:
    """First and last layer, a range, a group; None: all layers. groups: gives the backbone's, which may take long.

    Raises `UsageError`.
    """
    if isinstance(layers, str):
        return slice(*layer_range(layers, space.layers, groups()))
    first, last = layers or (0, space.layers - 1)
    if not 0 <= first <= last < space.layers:
        raise UsageError(f"layers {first}-{last}: {space.backbone} has layers 0 to {space.layers - 1}")
    return slice(first, last + 1)
