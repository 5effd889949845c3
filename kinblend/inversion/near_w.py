"""GAN inversion for projectors that sample latents: the code near W whose picture is most like a given one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from kinblend.errors import UsageError
from kinblend.identity import identity_network
from kinblend.imaging import to_batch
from kinblend.interfaces import ProjectionProgress
from kinblend.inversion.refine import refine
from kinblend.inversion.whitening import Whitening
from kinblend.types import Latent, LatentSpace

if TYPE_CHECKING:
    from PIL.Image import Image

COMPARED = 256  # px at which pictures are compared, at most
DRAWN = 10_000  # samples of w that the space of codes is measured on


class Samples(Protocol):
    """What of a projector is used here: `Projector` and `SamplesLatents`."""

    resolution: int

    @property
    def space(self) -> LatentSpace: ...

    def preview(self, size: int) -> Callable[[Tensor], Tensor]: ...

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor: ...

    def average(self) -> Tensor: ...


class InversionNearW:
    """`InvertsImages.project` for one projector, by `refine` at 256 px. The space of its codes is measured once."""

    def __init__(self) -> None:
        self._measured: Whitening | None = None

    def project(
        self,
        projector: Samples,
        image: Image,
        start: Latent | None,
        steps: int,
        progress: Callable[[ProjectionProgress], bool | None] | None,
    ) -> Latent:
        """The code found from `start`, by default from the latent average. Nothing is drawn from a seed.

        Raises `UsageError` for negative steps and `LatentSpaceError` for a foreign start.
        """
        if steps < 0:
            raise UsageError(f"steps={steps}: give 0 or more")
        if start is not None:
            projector.space.require(start.space, "start")
        code = projector.average() if start is None else start.code
        side = min(COMPARED, projector.resolution)

        def tell(step: int, loss: float) -> bool | None:
            return None if progress is None else progress(ProjectionProgress(step, steps, loss))

        draw, target = projector.preview(side), to_batch([image], side)
        found = refine(draw, self._whitening(projector), identity_network(), target, code[None], steps, tell)
        return Latent(found[0], projector.space)

    def _whitening(self, projector: Samples) -> Whitening:
        if self._measured is None:
            self._measured = measured_space(projector)
        return self._measured


def measured_space(projector: Samples) -> Whitening:
    """The space of a projector's codes, measured on samples that are the same every time."""
    z = torch.randn(DRAWN, projector.space.dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return Whitening(projector.space.dim, projector.map(z)[:, 0])
