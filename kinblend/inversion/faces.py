"""Several faces at once, each in a thread of its own, which is as fast together as alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from itertools import count
from typing import TypeVar

import torch
from pydantic import BaseModel

from kinblend.errors import UnsupportedError
from kinblend.interfaces import Context, Encoder, TunesWeights
from kinblend.inversion.tuning import COMPARED
from kinblend.progress import tell_progress
from kinblend.types import AlignedFace, Latent

Item = TypeVar("Item")
Found = TypeVar("Found")


class Steps:
    """Counts the steps of several threads, and tells how many of them are done. total: of all."""

    def __init__(self, total: int) -> None:
        self.total, self._done = total, count(1)

    def __call__(self, *_: object) -> None:
        tell_progress(next(self._done), self.total)


def each_in_a_thread(work: Callable[[Item], Found], items: Iterable[Item]) -> list[Found]:
    """What `work` makes of each, in order; torch works in one thread for each."""

    def alone(item: Item) -> Found:
        torch.set_num_threads(1)
        return work(item)

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(max_workers=threads) as pool:
            # A thread starts without the context in which progress and giving up are asked for.
            jobs = [pool.submit(partial(copy_context().run, alone, item)) for item in items]
            return [job.result() for job in jobs]
    finally:
        torch.set_num_threads(threads)  # what a thread sets is the default of those to come


class TuningEncoder(Encoder):
    """An encoder with `TuningOptions`: derive from it, and implement `encode`.

    Raises `UnsupportedError` where tuning is asked for and the backbone's projector can't.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        if self.options.tune:
            _tuner(context)
        self.uses_projector = type(self).uses_projector or self.options.tune > 0

    @property
    def crop_size(self) -> int:
        """Tuning sees more of a photograph than most networks do."""
        return max(self.input_size, COMPARED) if self.options.tune else self.input_size

    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents of aligned faces; their detail is what tuning changed of the generator's weights."""
        return tune_faces(self.context, faces, super().encode_faces(faces), self.options.tune)


def tune_faces(
    context: Context, faces: Sequence[AlignedFace], latents: Sequence[Latent], steps: int, told: Steps | None = None
) -> list[Latent]:
    """The latents of faces, with the generator's weights fitted to each face by so many steps; 0: as they are.

    context: of the encoder that found them. told: counts the steps. Raises `UnsupportedError` where the backbone's
    projector can't.
    """
    if not steps:
        return list(latents)
    tell, tune = told or Steps(steps * len(faces)), _tuner(context).tune

    def work(pair: tuple[AlignedFace, Latent]) -> Latent:
        face, latent = pair
        return tune(face.image, latent, steps=steps, progress=tell)

    return each_in_a_thread(work, list(zip(faces, latents, strict=True)))


def _tuner(context: Context) -> TunesWeights:
    projector = context.projector() if context.projector else None
    if not isinstance(projector, TunesWeights):
        raise UnsupportedError(
            f"the generator of {context.space.backbone} can't be fitted to a photograph; leave out the encoder's "
            "option tune"
        )
    return projector
