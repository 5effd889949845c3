"""Whether the regions that a strategy gives can be used."""

from __future__ import annotations

from collections.abc import Sequence

from kinblend.errors import PluginError
from kinblend.interfaces import Region

MOST = 1024  # px of a side


def check_regions(regions: Sequence[Region], owner: str) -> None:
    """Raise `PluginError` unless each is of another parent, and its maps are square float32 in [0, 1].

    owner: whose they are, for the message.
    """
    if len({region.parent for region in regions}) < len(regions):
        raise PluginError(f"{owner} gave two regions of one parent; give one with both")
    for region in regions:
        if region.parent not in ("father", "mother"):
            raise PluginError(f"{owner} gave a region of {region.parent!r}: father or mother is meant")
        for name in ("shape", "colour"):
            _check_map(getattr(region, name), f"{owner}: the {region.parent}'s region has a map of {name} that")


def _check_map(values: object, whose: str) -> None:
    import torch

    if not isinstance(values, torch.Tensor) or values.dtype != torch.float32:
        raise PluginError(f"{whose} is no float32 tensor")
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not 0 < len(values) <= MOST:
        raise PluginError(f"{whose} has the shape {list(values.shape)}, not [S, S] with S up to {MOST}")
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise PluginError(f"{whose} leaves [0, 1]")
