"""Aligned faces → codes in W, and changes of the generator's weights, with HyperStyle (Alaluf et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend import AlignedFace, Latent
from kinblend.cancellation import check_cancelled
from kinblend.errors import CheckpointError, UnsupportedError
from kinblend.imaging import to_batch
from kinblend.interfaces import TunesWeights
from kinblend.inversion import as_detail, tune_faces
from kinblend.progress import tell_progress
from kinblend_plugins.e4e.encoder import PASSES, E4eEncoder
from kinblend_plugins.e4e.hyperstyle_network import HyperStyleNetworks, build_hyperstyle


class HyperStyleEncoder(E4eEncoder):
    """One w for all layers; then, pass for pass, a network looks at the face and at its reconstruction, and says how
    the generator's weights are to change. The changes are the latent's detail.

    Raises `UnsupportedError` where the projector does not take changes of its weights.
    """

    uses_projector = True

    def _build(self, tensors: Mapping[str, Tensor]) -> HyperStyleNetworks:
        return build_hyperstyle(tensors)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """As `E4eEncoder.encode`: the codes alone, the same w in each layer."""
        self._check(images)
        w: Tensor = self.network.w_encoder(images.to(next(self.network.w_encoder.parameters()))).float().cpu()
        return w[:, None] + self.average

    @torch.inference_mode()
    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents whose detail is how the generator's weights change for each face."""
        images = to_batch([face.image for face in faces], self.input_size)
        latents = []
        for number, image in enumerate(images):
            code = self.encode(image[None])[0]
            changes = self._changes(image[None], Latent(code, self.space), number, len(images))
            latents.append(Latent(code, self.space, as_detail(changes)))
        return tune_faces(self.context, faces, latents, self.options.tune)

    def _changes(self, image: Tensor, latent: Latent, before: int, faces: int) -> dict[str, Tensor]:
        """Of the weights, by name, float32. before, faces: how many faces are done, and how many there are."""
        projector = self.context.projector() if self.context.projector else None
        if not isinstance(projector, TunesWeights):
            raise UnsupportedError(f"the generator of {self.space.backbone} does not take HyperStyle's changes")
        weights, passes = dict(projector.changeable_weights()), self._passes
        found: dict[str, Tensor] = {}
        for done in range(passes):
            check_cancelled()
            now = replace(latent, detail={f"weights.{name}": change for name, change in found.items()})
            shown = F.adaptive_avg_pool2d(projector.synthesize_latent(now), self.input_size)
            found = self._added(found, torch.cat([image, shown], dim=1), weights)
            tell_progress(before * passes + done + 1, faces * passes)
        return found

    @property
    def _passes(self) -> int:
        return int(self.options.passes or self.context.settings.get("passes", PASSES))

    def _added(self, found: Mapping[str, Tensor], images: Tensor, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = list(weights)
        result = dict(found)
        for number, change in self.network.hypernet(images.to(self.network.hypernet.conv1.weight)).items():
            if number >= len(names) or change[0].numel() not in _sizes(weights[names[number]]):
                raise CheckpointError(
                    f"the encoder changes weight {number} by {change[0].numel()} numbers, which does not fit the "
                    "generator; import its checkpoint again"
                )
            name, weight = names[number], weights[names[number]]
            shaped = change[0].float().cpu()
            shaped = shaped.reshape(*weight.shape[:2], *(shaped.shape[2:] or (1,) * (weight.ndim - 2)))
            result[name] = result[name] + shaped if name in result else shaped
        return result


def _sizes(weight: Tensor) -> tuple[int, int]:
    """How many numbers a change of a weight may have: one for each of it, or for each pair of channels."""
    return weight.numel(), weight.shape[0] * weight.shape[1]
