"""Aligned faces → codes by optimisation alone: what Image2StyleGAN (Abdal et al. 2019) did, near W.

As in Karras et al. 2020, appendix D, it begins with the latent average. The loss is that of
`kinblend.inversion.refine`: pixels, edges, and dlib's recognition network in the place of VGG.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend import AlignedFace, Context, Latent
from kinblend.identity.dlib_resnet import read_network, weights_file
from kinblend.imaging import to_batch
from kinblend.inversion import TuningEncoder, tune_faces
from kinblend_plugins.inversion.search import SIDE, CodeSearch, check_faces

if TYPE_CHECKING:
    from pydantic import BaseModel


class OptimizeEncoder(TuningEncoder):
    """For any backbone whose projector is differentiable and draws latents of its own, or projects images.

    It has no weights: nothing of the pack but its generator is needed. Nothing is drawn from a seed, so that a face
    has the same code every time. options: `OptimizeOptions`. Raises `UnsupportedError` for another projector.
    """

    input_size = SIDE
    batch_invariant = True
    uses_projector = True

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        self.search = CodeSearch(context)
        self.module = self.identity = read_network(weights_file())

    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, 256, 256] in [−1, 1] → float32 [n, L, D] on the CPU.

        Raises `LatentShapeError` for another size.
        """
        return torch.stack([latent.code for latent in self._found(images)])

    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents of aligned faces, one after the other, with the detail that the projector finds, if any."""
        latents = self._found(to_batch([face.image for face in faces], SIDE))
        return tune_faces(self.context, faces, latents, self.options.tune)

    def _found(self, images: Tensor) -> list[Latent]:
        check_faces(images, SIDE)
        options = self.options
        return self.search.find(images, None, options.steps, options.weights(), self.identity)
