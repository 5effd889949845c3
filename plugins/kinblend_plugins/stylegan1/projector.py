"""Codes → pictures with StyleGAN, and a picture → its code.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks" (2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend import Context, Latent, Projector
from kinblend.checkpoints import read_safetensors
from kinblend.errors import LatentShapeError, PackError
from kinblend.interfaces import Noise, ProjectionProgress
from kinblend.inversion import InversionNearW
from kinblend_plugins.stylegan1.generator import HINT, build
from kinblend_plugins.stylegan1.layers import Variant

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel

TOGETHER = 1024**2  # pixels of the pictures that are drawn at once where no gradient is asked for
# First and last of 18 layers: 4 to 8 px, 16 to 32 px, and the rest (section 3 of the paper).
LAYER_GROUPS = {"shape": (0, 3), "features": (4, 7), "complexion and detail": (8, 17)}


class StyleGAN1Projector(Projector):
    """The generator in `generator.safetensors` of the pack, in the names of `generator.Generator`.

    It has one output, at full size: `size` changes nothing. Raises `PackError` where pack and generator disagree, and
    `CheckpointError` naming the tensor where it is no StyleGAN.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        settings = context.settings
        variant = Variant(float(settings.get("epsilon", 1e-8)), bool(settings.get("blurs_bias", False)))
        self._shared_noise = bool(settings.get("shared_noise", False))
        self.module = self.generator = build(read_safetensors(context.files["generator.safetensors"]), variant)
        self.resolution = self.generator.resolution
        self._inversion = InversionNearW()
        layers, dim = len(self.generator.layers), self.generator.dim
        if (context.space.layers, context.space.dim) != (layers, dim):
            raise PackError(
                f"the pack's latent space is {context.space}, but its generator takes [{layers}, {dim}]; {HINT}"
            )

    def layer_groups(self) -> Mapping[str, tuple[int, int]]:
        """The coarse, middle and fine layers under what they are about."""
        last = self.space.layers - 1
        return {name: (first, min(end, last)) for name, (first, end) in LAYER_GROUPS.items() if first <= last}

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Codes of z, the same w in each layer, truncated by psi: [n, D] → float32 [n, L, D] on the CPU."""
        with torch.no_grad():
            w = self.generator.mapping(self._send(z.float())).cpu()
        average = self.average()
        codes: Tensor = average + psi * (w[:, None].expand(-1, self.space.layers, -1) - average)
        return codes.contiguous()

    def average(self) -> Tensor:
        """The latent average, float32 [L, D] on the CPU."""
        return self.generator.w_avg.float().cpu().expand(self.space.layers, -1)

    def style_weights(self) -> list[Tensor]:
        """As `kinblend.interfaces.HasStyleWeights` says: gains, then shifts, of each layer's feature maps."""
        return [layer.style.weight.detach().float().cpu() for layer in self.generator.styled]

    def synthesize(
        self, codes: Tensor, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """Pictures of codes: float32 [n, L, D] → float32 [n, 3, R, R] on the CPU, RGB about [−1, 1].

        Differentiable with respect to `codes`. Random noise is the same for every code of a batch. Raises
        `LatentShapeError` and `UsageError`.
        """
        if codes.ndim != 3 or tuple(codes.shape[1:]) != (self.space.layers, self.space.dim):
            raise LatentShapeError(
                f"codes must have shape [n, {self.space.layers}, {self.space.dim}], not {list(codes.shape)}"
            )
        maps = self._noises(self.choose_noise(noise), seed)
        watched = torch.is_grad_enabled() and codes.requires_grad
        parts = [codes] if watched else codes.split(max(TOGETHER // self.resolution**2, 1))
        drawn = [self.generator(self._send(part), maps).float().cpu() for part in parts]
        return torch.cat(drawn).contiguous()

    def project(
        self,
        image: Image,
        *,
        start: Latent | None = None,
        steps: int = 300,
        seed: int = 0,
        progress: Callable[[ProjectionProgress], bool | None] | None = None,
    ) -> Latent:
        """The code near W whose picture is most like an aligned crop: `kinblend.inversion.InversionNearW`.

        Nothing is drawn: `seed` changes nothing. Raises `UsageError` for negative steps and `LatentSpaceError` for a
        foreign start.
        """
        return self._inversion.project(self, image, start, steps, progress)

    def _noises(self, kind: Noise, seed: int) -> list[Tensor | None]:
        layers = self.generator.styled
        if kind == "none":
            return [None] * len(layers)
        if kind == "const":
            return [layer.noise for layer in layers]
        source = torch.Generator().manual_seed(seed)
        maps: list[Tensor | None] = []
        for index, layer in enumerate(layers):
            shared = self._shared_noise and index % 2
            maps.append(maps[-1] if shared else self._send(torch.randn(layer.size, layer.size, generator=source)))
        return maps

    def _send(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.generator.const.device, torch.float32)
