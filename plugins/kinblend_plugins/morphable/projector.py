"""Codes and detail → pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from kinblend import Context, Latent, Projector, WeightMap
from kinblend.cancellation import check_cancelled
from kinblend.errors import LatentShapeError, UsageError
from kinblend.imaging import to_pictures
from kinblend.interfaces import Noise, Region
from kinblend_plugins.morphable import background, detail, geometry
from kinblend_plugins.morphable.edited import EditedTexture
from kinblend_plugins.morphable.model import DETAIL, LAYERS, Morphable, resize
from kinblend_plugins.morphable.options import ProjectorOptions
from kinblend_plugins.morphable.parts import borrowed
from kinblend_plugins.morphable.residual_gain import ResidualGain

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel

SMALLEST = 32  # px
# So many textures are decoded together, which spares converting the components for each, and so many pictures warped:
# the intermediate results of more would not fit the processor's cache.
DECODED, BATCH = 32, 2
# How far faces are from the mean: of 102 people never trained on, the farthest had a radius of 1.2 in the shape and
# the middle band, and less in the others.
MAX_SD, RADIUS = 4.0, 1.3
# Deviations in root mean square: 0.3 to 0.75 in studio portraits, 0.65 to 1.5 in selfies out of doors and by windows.
MAX_ASYMMETRY = 0.5


class MorphableProjector(Projector):
    """Renders texture in the face's own shape. There is no noise: `seed` changes nothing."""

    noise_kinds: ClassVar[tuple[Noise, ...]] = ("none",)
    options: ProjectorOptions

    def __init__(self, options: ProjectorOptions, context: Context) -> None:
        super().__init__(options, context)
        self.module = self.model = Morphable.load(context.files["generator.safetensors"])
        self.resolution = int(context.settings["resolution"])
        self._used = torch.tensor([[d < self.model.sizes(i) for d in range(self.space.dim)] for i in range(LAYERS)])
        detailed = context.files.get("detail.safetensors")
        self._gain = None if detailed is None else ResidualGain.load(detailed)

    def synthesize(
        self, codes: Tensor, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """The codes alone, on plain grey: float32 [n, L, D] → float32 [n, 3, size, size]. Differentiable.

        Raises `LatentShapeError` and `UsageError`.
        """
        if codes.ndim != 3 or tuple(codes.shape[1:]) != (self.space.layers, self.space.dim):
            raise LatentShapeError(
                f"codes must have shape [n, {self.space.layers}, {self.space.dim}], not {list(codes.shape)}"
            )
        self.choose_noise(noise)
        codes = codes.float().to(self.model.device)
        face, _ = self.model.warp(self.model.texture(codes), self.model.shape(codes), size or self.resolution)
        return face

    def render(
        self, latents: Sequence[Latent], *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> list[Image]:
        """Code and residual in the code's shape, over the background moved to that shape."""
        self.choose_noise(noise)
        if size is not None and size < SMALLEST:
            raise UsageError(f"size={size}: give at least {SMALLEST} pixels")
        pictures: list[Image] = []
        with torch.inference_mode():
            for alike in _alike(latents):
                codes = torch.stack([latent.code for latent in alike]).to(self.model.device)
                textures = self.model.texture(codes)
                for first in range(0, len(alike), BATCH):
                    check_cancelled()
                    few = slice(first, first + BATCH)
                    pictures += to_pictures(self._whole(alike[few], codes[few], textures[few], size))
        return pictures

    def layer_groups(self) -> Mapping[str, tuple[int, int]]:
        """The geometry, then the texture from coarse to fine."""
        names = ("shape", "complexion", "features", "detail")
        return {name: (layer, layer) for layer, name in enumerate(names)}

    def whole_groups(self) -> Sequence[str]:
        """The complexion: its components are of the whole face, and pieces of two faces' make patches."""
        return ("complexion",)

    def blend_detail(
        self, father: Latent, mother: Latent, weights: WeightMap, options: BaseModel
    ) -> Mapping[str, Tensor]:
        """The residual by the father's share at each part of the face, the background whole from one parent."""
        if not (father.detail and mother.detail):
            return {}
        share = float(weights.values[1:].mean())
        chosen = options.background if isinstance(options, ProjectorOptions) else "auto"
        source = detail.background_source(father, mother, share, chosen)
        return {
            **source,
            **detail.mixed_beard(father, mother, share, source),
            "residual": detail.mixed_residual(self.model, father, mother, weights.values),
        }

    def edit_detail(self, latent: Latent, code: Tensor) -> Mapping[str, Tensor]:
        """The residual as `edited.EditedTexture` has it follow."""
        if not latent.detail:
            return latent.detail
        beard = float(latent.detail["beard"][1]) if "beard" in latent.detail else 0.0
        residual = self._edited.residual(latent.detail["residual"].float(), latent.code, code, beard)
        return {**latent.detail, "residual": residual.half()}

    def average(self) -> Tensor:
        """The code of the mean face, zeros [L, D]."""
        return torch.zeros(self.space.layers, self.space.dim)

    def blend_regions(self, child: Latent, people: Sequence[tuple[Latent, Region]]) -> Latent:
        """As `kinblend.interfaces.BlendsRegions` says: in the code, and what that can't hold in the residual."""
        return borrowed(self.model, child, people)

    def project_to_prior(self, codes: Tensor, reference: Tensor) -> Tensor:
        """No dimension more than MAX_SD deviations from the mean, no layer more than RADIUS of them in root mean
        square, its Mahalanobis distance over the root of its dimensions; or as far as one of `reference` is."""
        kept = codes.clamp(-MAX_SD, MAX_SD)
        low, high = reference.amin(0), reference.amax(0)
        kept = torch.where((codes < low) | (codes > high), kept, codes)
        radius = self._radius(kept)
        most = self._radius(reference).amax(0).clamp_min(RADIUS)
        return torch.where(radius > most, kept * (most / radius.clamp_min(1e-6)), kept)

    def remove_lighting(self, codes: Tensor) -> Tensor:
        """What differs between both halves of the face, no more than MAX_ASYMMETRY in any layer of the texture."""
        uneven = self.model.uneven.to(codes.device)
        odd, count = codes * uneven, uneven.sum(1).clamp_min(1)
        deviation = (odd.square().sum(2) / count).sqrt()[:, :, None]
        return codes - odd * (1 - MAX_ASYMMETRY / deviation.clamp_min(MAX_ASYMMETRY))

    def _beardless(
        self, ground: Tensor, skin: Tensor, texture: Tensor, having: Mapping[str, Tensor], to_frame: Tensor
    ) -> Tensor:
        """The background [n, 3, R, R] without a beard that the faces of these textures don't have."""
        if "beard" not in having or not bool(having["beard"].any()):
            return ground
        beard = self._edited.beard.gone(texture, having["tone"], having["beard"][:, 0])
        if not beard.is_gone:
            return ground
        face, window = geometry.sample(texture, to_frame), self.model.face_at(to_frame)
        return background.beardless(ground, skin, face, window, beard, to_frame)

    @cached_property
    def _edited(self) -> EditedTexture:
        return EditedTexture(self.model, self._gain)

    def _radius(self, codes: Tensor) -> Tensor:
        """Of each layer, float32 [n, L, 1]."""
        used = self._used.to(codes)
        return ((codes.square() * used).sum(2) / used.sum(1)).sqrt()[:, :, None]

    def _whole(self, latents: Sequence[Latent], codes: Tensor, texture: Tensor, size: int | None) -> Tensor:
        """Pictures of latents whose details are alike: float32 [n, 3, size, size]. texture: what the codes give."""
        model, shape = self.model, self.model.shape(codes)
        if not latents[0].detail:
            return model.warp(texture, shape, size or self.resolution)[0]
        having = {name: _together(latents, name).to(model.device) for name in latents[0].detail}
        size = size or _side(having)
        texture = resize(texture, having["residual"].shape[-1]) + having["residual"]
        to_frame, to_photo = model.places(shape, having["shape"], size)
        window = model.face_at(to_frame)
        rows, columns = _extent(window)
        at, window = to_frame[:, rows, columns].contiguous(), window[:, :, rows, columns]
        face = geometry.sample(texture, at)
        if "background" not in having:
            ground = face.new_zeros(len(codes), 3, size, size)
            ground[:, :, rows, columns] = face * window
            return ground
        ground = geometry.sample(having["background"], to_photo) / 127.5 - 1
        skin = geometry.sample(having["skin"][:, None], to_photo, "bilinear") / 255
        change = background.complexion_change(model, texture, having["tone"])
        ground = background.matched(ground, skin, change, to_frame)
        ground = self._beardless(ground, skin, texture, having, to_frame)
        hair = geometry.sample(having["hair"][:, None], at, "bilinear") / 255
        ground[:, :, rows, columns] = background.joined(face, ground[:, :, rows, columns], window, hair)
        return ground


def _alike(latents: Sequence[Latent]) -> Iterator[list[Latent]]:
    """In their order, at most DECODED at a time, with details of the same names and shapes."""

    def kind(latent: Latent) -> list[tuple[str, torch.Size]]:
        return [(name, tensor.shape) for name, tensor in sorted(latent.detail.items())]

    for _, group in groupby(latents, kind):
        alike = list(group)
        yield from (alike[first : first + DECODED] for first in range(0, len(alike), DECODED))


def _together(latents: Sequence[Latent], name: str) -> Tensor:
    """One tensor of several details: float32 [n, ...]. What siblings share is not copied."""
    tensors = [latent.detail[name] for latent in latents]
    if all(tensor is tensors[0] for tensor in tensors):
        return tensors[0].float().expand(len(tensors), *tensors[0].shape)
    return torch.stack(tensors).float()


def _side(having: Mapping[str, Tensor]) -> int:
    """Of the pictures, where nobody asks for another: the background's, else that of the photographs."""
    if "background" in having:
        return having["background"].shape[-1]
    return having["residual"].shape[-1] * 512 // DETAIL


def _extent(window: Tensor) -> tuple[slice, slice]:
    """The rows and columns in which there is any face: of [n, 1, H, W]."""
    ranges = [window.amax((0, 1, other)).nonzero()[:, 0].tolist() or [0] for other in (3, 2)]
    rows, columns = (slice(found[0], found[-1] + 1) for found in ranges)
    return rows, columns
