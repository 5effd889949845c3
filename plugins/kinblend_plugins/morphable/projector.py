"""Codes and detail → photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from kinblend import Context, Latent, Noise, Projector, WeightMap
from kinblend.imaging import to_pictures
from kinblend_plugins.morphable import geometry
from kinblend_plugins.morphable.model import Morphable

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel


class MorphableProjector(Projector):
    """Renders texture in the face's own shape. There is no noise: `noise` and `seed` change nothing."""

    noise_kinds: ClassVar[tuple[Noise, ...]] = ("none",)

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        self.module = self.model = Morphable.load(context.files["generator.safetensors"])
        self.resolution = int(context.settings["resolution"])

    def synthesize(self, codes: Tensor, *, noise: Noise = "const", seed: int = 0, size: int | None = None) -> Tensor:
        """The codes alone, on plain grey: float32 [n, L, D] → float32 [n, 3, size, size]. Differentiable."""
        codes = codes.float().to(self.model.device)
        landmarks = self.model.landmarks(codes)
        to_mean, _ = self._maps(landmarks, landmarks, size)
        return self._paint(self.model.texture(codes), to_mean, codes.new_zeros(1, 1, 1, 1))

    def render(self, latents: Sequence[Latent], *, noise: Noise = "const", seed: int = 0) -> list[Image]:
        """Code and residual in the code's shape, over the surround moved to that shape."""
        pictures = []
        with torch.inference_mode():
            for latent in latents:
                pictures += to_pictures(
                    self._with_detail(latent) if latent.detail else self.synthesize(latent.code[None])
                )
        return pictures

    def blend_detail(self, father: Latent, mother: Latent, weights: WeightMap) -> Mapping[str, Tensor]:
        """The residual by the father's mean share of the texture layers; the surround and its landmarks whole.

        They come from the parent with the larger share, the mother at one half: two hair styles mixed are a
        double exposure.
        """
        if not (father.detail and mother.detail):
            return {}
        share = float(weights.values[1:].mean())
        mixed = father.detail["residual"].float() * share + mother.detail["residual"].float() * (1 - share)
        host = father if share > 0.5 else mother
        return {**host.detail, "residual": mixed.half()}

    def _with_detail(self, latent: Latent) -> Tensor:
        device = self.model.device
        codes = latent.code[None].to(device)
        detail = {name: tensor.to(device).float()[None] for name, tensor in latent.detail.items()}
        to_mean, to_photo = self._maps(self.model.landmarks(codes), detail["landmarks"])
        surround = geometry.sample(detail["surround"] / 127.5 - 1, to_photo)
        return self._paint(self.model.texture(codes) + detail["residual"], to_mean, surround)

    def _maps(self, landmarks: Tensor, photo: Tensor, size: int | None = None) -> tuple[Tensor, Tensor]:
        """For each pixel of a face with these landmarks [n, 68, 2]: where it lies in the texture's frame, and in the
        photograph whose landmarks are `photo`. Two float32 [n, R, R, 2]."""
        points = geometry.control_points(landmarks.double())
        mean = self.model.mean_points.to(points).expand_as(points)
        coarse = geometry.spline(
            points, torch.cat([mean, geometry.control_points(photo.double())], dim=-1), geometry.nodes(size)
        )
        maps = geometry.refine(coarse, geometry.pixel_centres(size or self.resolution))
        corner = maps.new_tensor(self.model.corner)
        return (maps[..., :2] - corner) / self.model.side, geometry.held_at_border(maps[..., 2:])

    def _paint(self, texture: Tensor, to_mean: Tensor, ground: Tensor) -> Tensor:
        """The texture, warped and feathered into the ground by the face's window."""
        window = self.model.window.to(texture).expand(len(texture), -1, -1, -1)
        mask = geometry.sample(window, to_mean, "bilinear")
        return ground + (geometry.sample(texture, to_mean) - ground) * mask
