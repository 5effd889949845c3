"""Regions of a picture that are drawn from another code than the rest of it.

Both codes are drawn side by side, and where the region is, the child's feature maps become the other's. In the first
half of the levels, whose maps are small, that moves forms and the layers that follow join them; further on, where
colours are made, only within the region's map of colours. Source: feature blending, Suzuki et al. 2018, "Spatially
Controllable Image Synthesis with Internal Representation Collaging".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend import Latent
from kinblend.errors import InputError
from kinblend.interfaces import Region

CODES, MAPS = "regions.codes", "regions.maps"  # their names in a latent's detail
MOST, LARGEST = 2, 1024  # other people, and px of a map's side


class Regions(NamedTuple):
    """Of one latent, those with colours first.

    codes: the other people's, float32 [k, L, D]. maps: of shape and colour, float32 [k, 2, S, S] in [0, 1].
    """

    codes: Tensor
    maps: Tensor

    def mix(self, number: int, levels: int, x: Tensor) -> Tensor:
        """The maps [1 + k, C, H, W] that the level `number` of so many made, the child's first: where regions are,
        the child's are the others'. Where these are needed no more the child's come back alone: [1, C, H, W]."""
        forms = (levels + 1) // 2  # levels in which forms are made
        maps = self.maps[: len(x) - 1, int(number >= forms)]
        if not bool(maps.any()):
            return x[:1]
        method = "area" if len(x[0, 0]) < maps.shape[-1] else "bilinear"
        places = F.interpolate(maps[:, None], size=x.shape[2:], mode=method).to(x)
        places = places / places.sum(0).clamp_min(1)
        child = x[:1] + ((x[1:] - x[:1]) * places).sum(0, keepdim=True)
        if number + 1 < forms:
            return torch.cat([child, x[1:]])
        left = int(self.maps[:, 1].flatten(1).any(1).sum()) if number + 2 < levels else 0
        return torch.cat([child, x[1 : 1 + left]])


def region_detail(people: Sequence[tuple[Latent, Region]]) -> dict[str, Tensor]:
    """Regions as a latent's detail holds them: codes float32, maps uint8."""
    side = max(len(values) for _, region in people for values in (region.shape, region.colour))
    maps = torch.stack(
        [torch.stack([_sized(one, side) for one in (region.shape, region.colour)]) for _, region in people]
    )
    codes = torch.stack([person.code for person, _ in people])
    return {CODES: codes, MAPS: (maps * 255).round().to(torch.uint8)}


def regions_of(latent: Latent) -> Regions | None:
    """The regions in a latent's detail, which may come from anybody's file; None where it has none.

    Raises `InputError` for what can't be regions of this latent.
    """
    codes, maps = latent.detail.get(CODES), latent.detail.get(MAPS)
    if codes is None or maps is None:
        return None
    fits = codes.dtype == torch.float32 and tuple(codes.shape[1:]) == tuple(latent.code.shape)
    fits = fits and 0 < len(codes) <= MOST and bool(torch.isfinite(codes).all())
    fits = fits and maps.dtype == torch.uint8 and maps.ndim == 4 and tuple(maps.shape[:2]) == (len(codes), 2)
    if not fits or maps.shape[2] != maps.shape[3] or not 0 < maps.shape[3] <= LARGEST:
        raise InputError("the latent's regions of other people do not fit its code; make the child again")
    order = maps[:, 1].flatten(1).any(1).int().argsort(descending=True, stable=True)
    return Regions(codes[order], maps[order].float() / 255)


def moved(detail: Mapping[str, Tensor], change: Tensor) -> dict[str, Tensor]:
    """The detail after an edit that added `change` [L, D] to the code: it is added to the other people's, too."""
    return {**detail, **({CODES: detail[CODES] + change} if CODES in detail else {})}


def _sized(values: Tensor, side: int) -> Tensor:
    if len(values) == side:
        return values
    return F.interpolate(values[None, None], size=(side, side), mode="bilinear")[0, 0]
