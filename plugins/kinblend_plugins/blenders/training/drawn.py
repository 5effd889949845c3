"""People that the generator draws: they cost nothing, and any two of them are a couple."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from kinblend import Projector
from kinblend.errors import UnsupportedError
from kinblend.interfaces import SamplesLatents
from kinblend_plugins.blenders.proxy import Bridge
from kinblend_plugins.blenders.training.data import People

TRUNCATION = (0.6, 1.0)
MIXED = 0.3  # of the people: their finer layers are somebody else's
CHUNK = 16


def draw_people(projector: Projector, render: Bridge, count: int, seed: int, log: Callable[[str], None]) -> People:
    """So many people, with the embeddings of their pictures. Raises `UnsupportedError` where the projector draws
    none."""
    if not isinstance(projector, SamplesLatents):
        raise UnsupportedError(f"{projector.title} draws no people; leave out drawn")
    codes = _codes(projector, count, seed)
    found = []
    with torch.no_grad():
        for done, some in enumerate(codes.split(CHUNK)):
            if done % 32 == 0:
                log(f"drawn people: {done * CHUNK} of {count}")
            found.append(render(some))
    return People(codes, torch.cat(found))


def _codes(projector: SamplesLatents, count: int, seed: int) -> Tensor:
    """Codes [n, L, D] truncated by different amounts, some mixed of two."""
    generator = torch.Generator().manual_seed(seed)
    average = projector.average()
    z = torch.randn(2 * count, average.shape[1], generator=generator)
    low, high = TRUNCATION
    psi = low + (high - low) * torch.rand(2 * count, 1, 1, generator=generator)
    one, other = (average + psi * (projector.map(z) - average)).split(count)
    change = torch.randint(1, len(average), (count,), generator=generator)
    change[torch.rand(count, generator=generator) >= MIXED] = len(average)
    return torch.where((torch.arange(len(average)) < change[:, None])[:, :, None], one, other)
