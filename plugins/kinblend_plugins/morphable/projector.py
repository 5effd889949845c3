"""Codes and detail → pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from kinblend import Context, Latent, Noise, Projector, WeightMap
from kinblend.errors import LatentShapeError, UsageError
from kinblend.imaging import to_pictures
from kinblend_plugins.morphable import detail, geometry, surround
from kinblend_plugins.morphable.model import DETAIL, LAYERS, Morphable
from kinblend_plugins.morphable.options import ProjectorOptions
from kinblend_plugins.morphable.roughness import Roughness

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST = 32  # px
# How far faces are from the mean: of 102 people never trained on, the farthest had a radius of 1.2 in the shape and
# the middle band, and less in the others.
FARTHEST, RADIUS = 4.0, 1.3


class MorphableProjector(Projector):
    """Renders texture in the face's own shape. There is no noise: `noise` and `seed` change nothing."""

    noise_kinds: ClassVar[tuple[Noise, ...]] = ("none",)
    options: ProjectorOptions

    def __init__(self, options: ProjectorOptions, context: Context) -> None:
        super().__init__(options, context)
        self.module = self.model = Morphable.load(context.files["generator.safetensors"])
        self.resolution = int(context.settings["resolution"])
        self._used = torch.tensor([[d < self.model.sizes(i) for d in range(self.space.dim)] for i in range(LAYERS)])
        detailed = context.files.get("detail.safetensors")
        self._roughness = None if detailed is None else Roughness.load(detailed)

    def synthesize(self, codes: Tensor, *, noise: Noise = "const", seed: int = 0, size: int | None = None) -> Tensor:
        """The codes alone, on plain grey: float32 [n, L, D] → float32 [n, 3, size, size]. Differentiable.

        Raises `LatentShapeError` and `UsageError`.
        """
        if codes.ndim != 3 or tuple(codes.shape[1:]) != (self.space.layers, self.space.dim):
            raise LatentShapeError(
                f"codes must have shape [n, {self.space.layers}, {self.space.dim}], not {list(codes.shape)}"
            )
        if noise not in ("const", "none", "random"):
            raise UsageError(f"noise={noise!r}: use const, none or random")
        codes = codes.float().to(self.model.device)
        face, _ = self.model.warp(self.model.texture(codes), self.model.shape(codes), size or self.resolution)
        return face

    def render(
        self, latents: Sequence[Latent], *, noise: Noise = "const", seed: int = 0, size: int | None = None
    ) -> list[Image]:
        """Code and residual in the code's shape, over the surround moved to that shape."""
        size = size or self.resolution
        if size < SMALLEST:
            raise UsageError(f"size={size}: give at least {SMALLEST} pixels")
        pictures: list[Image] = []
        with torch.inference_mode():
            for latent in latents:
                made = self._whole(latent, size) if latent.detail else self.synthesize(latent.code[None], size=size)
                pictures += to_pictures(made)
        return pictures

    def parts(self) -> Mapping[str, tuple[int, int]]:
        """The geometry, then the texture from coarse to fine."""
        names = ("shape", "complexion", "features", "detail")
        return {name: (layer, layer) for layer, name in enumerate(names)}

    def blend_detail(self, father: Latent, mother: Latent, weights: WeightMap) -> Mapping[str, Tensor]:
        """The residual by the father's share at each part of the face, the surround whole from one parent."""
        if not (father.detail and mother.detail):
            return {}
        share = float(weights.values[1:].mean())
        host = detail.host(father, mother, share, self.options.surround)
        return {**host, "residual": detail.mixed_residual(self.model, father, mother, weights.values)}

    def edit_detail(self, latent: Latent, code: Tensor) -> Mapping[str, Tensor]:
        """The residual stronger or weaker by as much as the codes let expect."""
        if self._roughness is None or not latent.detail:
            return latent.detail
        gain = self._roughness.gain(latent.code, code, DETAIL)
        residual = latent.detail["residual"].float() * detail.where_skin(self.model, gain)
        return {**latent.detail, "residual": residual.half()}

    def plausible(self, codes: Tensor, beside: Tensor) -> Tensor:
        """No dimension more than FARTHEST deviations from the mean, no layer more than RADIUS of them in root mean
        square, its Mahalanobis distance over the root of its dimensions; or as far as one of `beside` is."""
        kept = codes.clamp(-FARTHEST, FARTHEST)
        low, high = beside.amin(0), beside.amax(0)
        kept = torch.where((codes < low) | (codes > high), kept, codes)
        radius = self._radius(kept)
        most = self._radius(beside).amax(0).clamp_min(RADIUS)
        return torch.where(radius > most, kept * (most / radius.clamp_min(1e-6)), kept)

    def _radius(self, codes: Tensor) -> Tensor:
        """Of each layer, float32 [n, L, 1]."""
        used = self._used.to(codes)
        return ((codes.square() * used).sum(2) / used.sum(1)).sqrt()[:, :, None]

    def _whole(self, latent: Latent, size: int) -> Tensor:
        model = self.model
        code = latent.code[None].to(model.device)
        having = {name: tensor.to(model.device).float()[None] for name, tensor in latent.detail.items()}
        texture = model.texture(code) + having["residual"]
        to_frame, to_photo = model.places(model.shape(code), having["shape"], size)
        window = model.face_at(to_frame)
        face = geometry.sample(texture, to_frame)
        if self.options.surround == "plain":
            return face * window
        ground = geometry.sample(having["surround"] / 127.5 - 1, to_photo)
        skin = geometry.sample(having["skin"][:, None] / 255, to_photo, "bilinear")
        change = surround.complexion_change(model, texture, having["tone"])
        ground = surround.matched(ground, skin, change, to_frame)
        hair = geometry.sample(having["hair"][:, None] / 255, to_frame, "bilinear")
        return surround.joined(face, ground, window, hair)
