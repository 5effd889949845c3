"""Parts of the face that come from one parent alone: her eyes, his nose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Blend, Blender, Context
from kinblend.errors import OptionError, UnsupportedError, WeightsMissingError
from kinblend.interfaces import BlendsRegions, Region
from kinblend_plugins.blenders.part_maps import FILE, PartMap, load_part_maps

if TYPE_CHECKING:
    from pydantic import BaseModel

PARENTS: tuple[Literal["father", "mother"], ...] = ("father", "mother")


class PartsBlender(Blender):
    """The parts that are named come from the parent that is named, all else by the share, as `average` has it.

    Codes can't do it: elements of W+ and channels of styles that change one part of a face change the rest of it
    nearly as much. So the projector draws the part from the parent's own code (`kinblend.interfaces.BlendsRegions`).
    Where each part is, is told by maps in the pack or in the option `weights`.

    Raises `WeightsMissingError` where there are no maps, `UnsupportedError` for a projector that can't draw so, and
    `OptionError` for a part that the maps do not have.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        projector = context.projector() if context.projector else None
        if not isinstance(projector, BlendsRegions):
            who = projector.title if projector else "no backbone"
            raise UnsupportedError(
                f"{who} can't draw a part of a face from another code than the rest (BlendsRegions); use another "
                "backbone, or the strategy layer, which gives each parent layers of the code"
            )
        self.maps: dict[str, PartMap] = load_part_maps(self._file())
        unknown = sorted(set(self.options.parts) - set(self.maps))
        if unknown:
            raise OptionError(
                f"{self.space.backbone} has no part {', '.join(map(repr, unknown))}; it has: {', '.join(self.maps)}"
            )

    def names_for(self, option: str) -> Sequence[str]:
        return list(self.maps) if option == "parts" else ()

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        return torch.full_like(father, self.options.share)

    def blend(self, father: Tensor, mother: Tensor, seed: int) -> Blend:
        blend, chosen = super().blend(father, mother, seed), self.options.parts
        regions = []
        for parent in PARENTS:
            maps = [self.maps[part] for part, whose in chosen.items() if whose == parent]
            if maps:
                regions.append(Region(parent, *_together(maps)))
        if not regions:
            return blend
        return Blend(blend.code, share=self.options.share, regions=tuple(regions))

    def _file(self) -> Path:
        path = self.options.weights or self.context.files.get(FILE)
        if path is None:
            raise WeightsMissingError(
                f"{self.space.backbone} has no maps of the parts of a face yet: use another strategy, or make them "
                "with `kinblend train blender parts`"
            )
        return Path(path)


def _together(maps: Sequence[PartMap]) -> PartMap:
    """Several parts as one, as large as the largest."""
    side = max(len(values) for part in maps for values in part)

    def larger(values: Tensor) -> Tensor:
        if len(values) == side:
            return values
        return F.interpolate(values[None, None], size=(side, side), mode="bilinear")[0, 0]

    stacks = zip(*maps, strict=True)
    return PartMap(*(torch.stack([larger(one) for one in stack]).amax(0) for stack in stacks))
