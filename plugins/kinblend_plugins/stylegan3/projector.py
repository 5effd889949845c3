"""Codes → pictures with StyleGAN3, and a picture → its code.

Karras et al., "Alias-Free Generative Adversarial Networks" (2021).
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
from kinblend_plugins.stylegan3.generator import HINT, build
from kinblend_plugins.stylegan3.geometry import from_settings

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel

TOGETHER = 1024**2  # pixels of the pictures that are drawn at once where no gradient is asked for
# Groups of layers by the sampling rates of what they make, in pixels per picture, of which they keep an eighth to a
# half in cycles: about as much as StyleGAN2's layers of 4 to 8 px, of 16 to 32 px, and the rest.
GROUPS = {"shape": 16, "features": 64, "complexion and detail": 1024}


class StyleGAN3Projector(Projector):
    """The generator in `generator.safetensors` of the pack; how its layers are sampled is among the pack's settings.

    It has no noise, and one output, at full size: `size` changes nothing. It stays in float32, whatever precision the
    device pool runs in. Raises `PackError` where pack and generator disagree, and `CheckpointError` naming the tensor
    where it is no StyleGAN3.
    """

    noise_kinds = ("none",)

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        tensors = read_safetensors(context.files["generator.safetensors"])
        self.module = self.generator = build(tensors, from_settings(context.settings))
        self.resolution = self.generator.geometry.resolution
        self._inversion = InversionNearW()
        layers, dim = self.generator.codes, self.generator.dim
        if (context.space.layers, context.space.dim) != (layers, dim):
            raise PackError(
                f"the pack's latent space is {context.space}, but its generator takes [{layers}, {dim}]; {HINT}"
            )

    def layer_groups(self) -> Mapping[str, tuple[int, int]]:
        """The coarse, middle and fine layers under what they are about."""
        rates, groups, first = self.generator.geometry.rates(), {}, 0
        for name, most in GROUPS.items():
            last = max((index for index, rate in enumerate(rates) if rate <= most), default=-1)
            if last >= first:
                groups[name] = (first, last)
                first = last + 1
        return groups

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Codes of z, the same w in each layer, truncated by psi: [n, D] → float32 [n, L, D] on the CPU."""
        with torch.no_grad():
            w = self.generator.mapping(self._send(z)).cpu()
        average = self.average()
        codes: Tensor = average + psi * (w[:, None].expand(-1, self.space.layers, -1) - average)
        return codes.contiguous()

    def average(self) -> Tensor:
        """The latent average, float32 [L, D] on the CPU."""
        return self.generator.w_avg.cpu().expand(self.space.layers, -1)

    def style_weights(self) -> list[Tensor]:
        """As `kinblend.interfaces.HasStyleWeights` says. The first layer's styles turn and shift the picture."""
        return [style.weight.detach().cpu() for style in self.generator.styles]

    def synthesize(
        self, codes: Tensor, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """Pictures of codes: float32 [n, L, D] → float32 [n, 3, R, R] on the CPU, RGB about [−1, 1].

        Differentiable with respect to `codes`. Raises `LatentShapeError` and `UsageError`.
        """
        if codes.ndim != 3 or tuple(codes.shape[1:]) != (self.space.layers, self.space.dim):
            raise LatentShapeError(
                f"codes must have shape [n, {self.space.layers}, {self.space.dim}], not {list(codes.shape)}"
            )
        self.choose_noise(noise)
        watched = torch.is_grad_enabled() and codes.requires_grad
        parts = [codes] if watched else codes.split(max(TOGETHER // self.resolution**2, 1))
        return torch.cat([self.generator(self._send(part)).cpu() for part in parts]).contiguous()

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

    def _send(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.generator.w_avg.device, torch.float32)
