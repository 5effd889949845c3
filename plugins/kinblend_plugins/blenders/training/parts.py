"""Finds where the parts of a face are in a backbone's pictures: the trainer `parts`.

Aligned faces that look ahead have their parts in nearly the same place. So people are drawn, their landmarks are
found, and a part is where most of them have it, with a soft edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Engine, Latent
from kinblend.cancellation import check_cancelled
from kinblend.errors import FaceError, InputError, OptionError, UnsupportedError
from kinblend.faces import PARTS, colour_masks, landmarks_in_crop, part_masks
from kinblend.interfaces import BlendsRegions, SamplesLatents
from kinblend_plugins.blenders.part_maps import PartMap, save_part_maps
from kinblend_plugins.blenders.training.options import PartsTrainOptions

SIDE, STORED = 256, 128  # px of the pictures that are looked at, and of the maps
MOST = 0.5  # the share of people who have the part there
PSI = 0.7  # truncation of those who are drawn
SOFT, SOFT_COLOUR = 6.0, 2.0  # deviations of the edges' blur, in pixels of SIDE

Log = Callable[[str], None]


def train(options: PartsTrainOptions, out: Path, progress: Log | None = None) -> Path:
    """Draw people, find their parts, write the maps. Returns `out`.

    Raises `UnsupportedError` for a backbone that can't draw parts of a face by themselves, `OptionError` for an
    unknown part, `InputError` where too few of the pictures show a face.
    """
    log = progress or (lambda _: None)
    names = list(options.parts) or list(PARTS)
    if unknown := sorted(set(names) - set(PARTS)):
        raise OptionError(f"there is no part {', '.join(map(repr, unknown))}; there are: {', '.join(PARTS)}")
    engine = Engine(options.backbone or None, options.device, options.precision, options.memory_budget)
    projector = engine.backbone.projector
    if not isinstance(projector, BlendsRegions):
        raise UnsupportedError(f"{projector.title} can't draw parts of a face from another code (BlendsRegions)")
    shapes, colours, seen = _count(engine, people(engine, options.people, options.seed), log)
    maps = {}
    for name in names:
        shape = _soft(shapes[name] / seen, SOFT)
        colour = _soft(colours[name] / seen, SOFT_COLOUR) if name in colours else torch.zeros_like(shape)
        maps[name] = PartMap(shape, torch.minimum(colour, shape))
        log(f"{name}: {float(shape.mean()):.1%} of the picture")
    save_part_maps(out, maps, f"{seen} people drawn by {engine.backbone.name}; for non-commercial research")
    return out


def people(engine: Engine, count: int, seed: int) -> list[Latent]:
    """So many neutral people that the generator draws; only the mean face where it draws none."""
    space, projector = engine.backbone.space, engine.backbone.projector
    if not isinstance(projector, SamplesLatents):
        return [Latent(torch.zeros(space.layers, space.dim), space)]
    with engine.pool, engine.pool.lease(projector.module, "projector"):
        codes = projector.map(torch.randn(count, space.dim, generator=torch.Generator().manual_seed(seed)), PSI)
    editor = engine.editor()
    return [engine.neutral(Latent(code.clone(), space), editor) for code in codes]


def _count(engine: Engine, latents: Sequence[Latent], log: Log) -> tuple[dict[str, Tensor], dict[str, Tensor], int]:
    """How many people have each part at each pixel, float32 [SIDE, SIDE]; the same of its colours; of how many."""
    shapes: dict[str, Tensor] = {}
    colours: dict[str, Tensor] = {}
    seen = 0
    for number, latent in enumerate(latents, 1):
        check_cancelled()
        picture = engine.render(latent, size=SIDE).resize((SIDE, SIDE))
        try:
            points = landmarks_in_crop(picture)
        except FaceError:
            continue
        seen += 1
        for totals, masks in ((shapes, part_masks(points, SIDE)), (colours, colour_masks(points, SIDE))):
            for name, mask in masks.items():
                totals[name] = totals.get(name, torch.zeros(SIDE, SIDE)) + torch.from_numpy(mask.astype(np.float32))
        if number % 16 == 0:
            log(f"{number} of {len(latents)} people")
    if seen <= len(latents) / 2:
        raise InputError(f"only {seen} of {len(latents)} pictures of this backbone show a face")
    return shapes, colours, seen


def _soft(shares: Tensor, deviation: float) -> Tensor:
    """Where more than MOST of all people have a part, its edge blurred: float32 [STORED, STORED] in [0, 1]."""
    reach = round(3 * deviation)
    places = torch.arange(-reach, reach + 1)
    bell = torch.exp(-0.5 * (places / deviation).square())
    bell = (bell / bell.sum()).view(1, 1, 1, -1)
    part = F.pad((shares > MOST).float()[None, None], (reach,) * 4, mode="replicate")
    blurred = F.conv2d(F.conv2d(part, bell), bell.mT)
    return F.interpolate(blurred, size=(STORED, STORED), mode="area")[0, 0].clamp(0, 1)
