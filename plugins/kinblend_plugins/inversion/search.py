"""Codes brought nearer to photographs by optimisation through the backbone's projector, whichever that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kinblend import Context, Latent, Projector
from kinblend.errors import LatentShapeError, UnsupportedError
from kinblend.identity.dlib_resnet import DlibResNet
from kinblend.imaging import to_pictures
from kinblend.interfaces import InvertsImages, ProjectionProgress, SamplesLatents
from kinblend.inversion import Weights, Whitening, measured_space, refine
from kinblend.progress import tell_progress

SIDE = 256  # px of the faces that are compared; a smaller projector's own
LEAST = 32  # px, however small a projector's pictures are: scales are compared down to a sixteenth


class CodeSearch:
    """The code whose picture is most like a face: `kinblend.inversion.refine`, near W.

    A projector that draws no latents of its own finds codes as it knows itself (`InvertsImages`). context: of the
    encoder. Raises `UnsupportedError` where the projector does neither.
    """

    def __init__(self, context: Context) -> None:
        if context.projector is None:
            raise UnsupportedError("optimisation draws pictures: it needs a backbone with a projector")
        self.projector: Projector = context.projector()
        self._space: Whitening | None = None
        if not isinstance(self.projector, (SamplesLatents, InvertsImages)):
            raise UnsupportedError(
                f"{self.projector.title} neither draws latents of its own nor projects an image, so that there is "
                "nothing for optimisation to begin with"
            )

    def average(self) -> Tensor | None:
        """The latent average, float32 [L, D]; None where the projector knows none."""
        return self.projector.average() if isinstance(self.projector, SamplesLatents) else None

    def find(
        self,
        faces: Tensor,
        codes: Sequence[Tensor] | None,
        steps: int,
        weights: Weights,
        identity: DlibResNet,
    ) -> list[Latent]:
        """Latents of faces, float32 [n, 3, 256, 256] in [−1, 1], one after the other.

        codes: where to begin, [L, D] each; None: with the latent average. steps: the most that are taken. identity:
        where it is, the pictures are compared.
        """
        found = []
        for number, face in enumerate(faces):

            def tell(step: int, done: int = number * steps) -> None:
                tell_progress(done + step, steps * len(faces))

            start = self.average() if codes is None else codes[number]
            if isinstance(self.projector, SamplesLatents) and start is not None:
                code = self._refined(face[None], start[None], steps, weights, identity, tell)
                found.append(Latent(code, self.projector.space))
            else:
                found.append(self._projected(face[None], start, steps, tell))
        return found

    def _refined(
        self,
        face: Tensor,
        code: Tensor,
        steps: int,
        weights: Weights,
        identity: DlibResNet,
        tell: Callable[[int], None],
    ) -> Tensor:
        where, side = identity.head.weight.device, min(SIDE, max(LEAST, self.projector.resolution))
        face = torch.nn.functional.interpolate(face, (side, side), mode="bilinear", antialias=True)
        draw = self.projector.preview(side)
        coarse = self.projector.preview(side // 2) if side // 2 >= LEAST else None
        found = refine(
            draw,
            self._whitening().to(where),
            identity,
            face.to(where),
            code.to(where),
            steps,
            lambda step, _: tell(step),
            weights,
            coarse=coarse,
        )
        return found[0].cpu()

    def _projected(self, face: Tensor, start: Tensor | None, steps: int, tell: Callable[[int], None]) -> Latent:
        projector = self.projector
        assert isinstance(projector, InvertsImages), "this was looked at when the search was made"

        def told(now: ProjectionProgress) -> None:
            tell(now.step)

        begin = None if start is None else Latent(start, self.projector.space)
        return projector.project(to_pictures(face)[0], start=begin, steps=steps, progress=told)

    def _whitening(self) -> Whitening:
        """The space of codes, measured once."""
        projector = self.projector
        assert isinstance(projector, SamplesLatents)
        if self._space is None:
            self._space = measured_space(projector)
        return self._space


def check_faces(faces: Tensor, side: int) -> None:
    """Raise `LatentShapeError` unless these are pictures [n, 3, side, side]."""
    if faces.ndim != 4 or tuple(faces.shape[1:]) != (3, side, side):
        raise LatentShapeError(f"this encoder takes images [n, 3, {side}, {side}], not {list(faces.shape)}")
