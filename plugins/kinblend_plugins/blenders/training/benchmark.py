"""One step of the training, for `kinblend bench`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.nn import functional as F

from kinblend import Backbone, LatentSpace
from kinblend.datasets import Trios
from kinblend.errors import UnsupportedError
from kinblend.identity import load_identity
from kinblend.training.device import device_of
from kinblend_plugins.blenders.bridge import Render
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.session import Session


def step(backbone: Backbone, batch: int, precision: str) -> Callable[[], object]:
    """A step of the optimiser on a batch of trios that are made up, through picture and identity network.

    Raises `UnsupportedError` for a precision or a batch that the trainer does not take.
    """
    if precision not in ("fp32", "bf16"):
        raise UnsupportedError(f"the learned blender is trained in fp32 and bf16, not in {precision}")
    if batch < 2:
        raise UnsupportedError("the learned blender is trained on two trios at a time or more; give a batch of 2")
    given = {"trios": "none", "backbone": backbone.name, "batch": batch, "precision": precision}
    options = TrainOptions.model_validate(given)
    trios = _made_up(backbone.space, batch)
    look = Render(backbone, trios.identity, "bf16" if options.mixed else "fp32", device=device_of(options.device))
    session = Session(options, trios, look)
    [one] = session.families.epoch(torch.Generator().manual_seed(0), options.noise)
    return partial(session.step, one)


def _made_up(space: LatentSpace, count: int, identity: str = "dlib") -> Trios:
    """So many to train on, and one to validate with, which `Session` asks for."""
    draw = torch.Generator().manual_seed(0)
    father, mother, child = torch.randn(3, count + 1, space.layers, space.dim, generator=draw)
    embedding = F.normalize(torch.randn(count + 1, load_identity(identity).embedding_size, generator=draw), dim=1)
    names = [f"F{row}" for row in range(count + 1)]
    splits = ["train"] * count + ["val"]
    return Trios(father, mother, child, embedding, names, space, splits, identity=identity)
