"""Parts of a face that are another person's: their points, and their texture there.

A region is a map over a picture in FFHQ geometry, which is where the mean shape lies, too. Points of the shape move
as far as the region reaches them. Of the texture the finer bands and the residual come along; the coarsest, which is
the complexion, only within the region's map of colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kinblend import Latent
from kinblend.interfaces import Region
from kinblend_plugins.morphable import geometry
from kinblend_plugins.morphable.model import LAYERS, Morphable, assemble, resize


def borrowed(model: Morphable, child: Latent, people: Sequence[tuple[Latent, Region]]) -> Latent:
    """The child with regions of one or two other people: its code, and its residual where all have one."""
    code = child.code[None].to(model.device)
    codes = [person.code[None].to(model.device) for person, _ in people]
    shapes = _apart([region.shape for _, region in people])
    colours = _apart([region.colour for _, region in people])
    made = code.clone()
    points = model.shape(code)
    wanted = points + sum(
        (
            _at_points(places, points) * (model.shape(other) - points)
            for other, places in zip(codes, shapes, strict=True)
        ),
        torch.zeros_like(points),
    )
    made[:, 0] += model.project(wanted.flatten(1), 0) - model.project(points.flatten(1), 0)
    textures = []
    for layer in range(1, LAYERS):
        maps = colours if layer == 1 else shapes
        bands = [model.decode(one, layer) for one in (code, *codes)]
        textures.append(_mixed(model, bands, maps))
        made[:, layer] += model.project(textures[-1], layer) - model.project(bands[0], layer)
    moved = replace(child, code=made[0].cpu())
    residuals = [latent.detail.get("residual") for latent in (child, *(person for person, _ in people))]
    if any(residual is None for residual in residuals):
        return moved
    return replace(moved, detail={**child.detail, "residual": _residual(model, residuals, shapes, textures, made)})


def _residual(
    model: Morphable,
    residuals: Sequence[Tensor | None],
    shapes: Sequence[Tensor],
    textures: list[Tensor],
    made: Tensor,
) -> Tensor:
    """Everyone's residuals mixed, float16 [3, S, S], with what the code could not hold of the mixed texture."""
    size = max(one.shape[-1] for one in residuals if one is not None)
    known = [resize(one[None].float().to(model.device), size) for one in residuals if one is not None]
    left = resize(assemble(textures), size) - model.texture(made, size)
    return (_mixed(model, known, shapes) + left)[0].half().cpu()


def _mixed(model: Morphable, pictures: Sequence[Tensor], maps: Sequence[Tensor]) -> Tensor:
    """Pictures in the texture's frame, [1, 3, S, S], the first one the child's, which becomes the others' where the
    maps are."""
    child, *others = pictures
    at = geometry.pixel_centres(child.shape[-1]) * model.side + torch.tensor(model.corner)
    result = child
    for other, places in zip(others, maps, strict=True):
        share = geometry.sample(places[None, None].to(child), at[None].to(child), "bilinear")
        result = result + (other - child) * share
    return result


def _at_points(places: Tensor, points: Tensor) -> Tensor:
    """A map [S, S] at points [1, n, 2] in units of the crop's side: [1, n, 1]."""
    return geometry.sample(places[None, None].to(points), points[:, None], "bilinear").view(1, -1, 1)


def _apart(maps: Sequence[Tensor]) -> list[Tensor]:
    """Maps of one size whose sum is nowhere beyond 1."""
    total = torch.stack(list(maps)).sum(0).clamp_min(1)
    return [one / total for one in maps]
