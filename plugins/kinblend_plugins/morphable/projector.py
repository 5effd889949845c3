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
from kinblend_plugins.morphable.model import Morphable
from kinblend_plugins.morphable.options import ProjectorOptions

if TYPE_CHECKING:
    from PIL.Image import Image

SMALLEST = 32  # px


class MorphableProjector(Projector):
    """Renders texture in the face's own shape. There is no noise: `noise` and `seed` change nothing."""

    noise_kinds: ClassVar[tuple[Noise, ...]] = ("none",)
    options: ProjectorOptions

    def __init__(self, options: ProjectorOptions, context: Context) -> None:
        super().__init__(options, context)
        self.module = self.model = Morphable.load(context.files["generator.safetensors"])
        self.resolution = int(context.settings["resolution"])

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

    def blend_detail(self, father: Latent, mother: Latent, weights: WeightMap) -> Mapping[str, Tensor]:
        """The residual by the father's share at each part of the face, the surround whole from one parent."""
        if not (father.detail and mother.detail):
            return {}
        share = float(weights.values[1:].mean())
        host = detail.host(father, mother, share, self.options.surround)
        return {**host, "residual": detail.mixed_residual(self.model, father, mother, weights.values)}

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
