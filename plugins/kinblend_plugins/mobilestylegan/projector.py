"""Codes → pictures with MobileStyleGAN.

Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis" (2021).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kinblend import Context, Latent, Projector, WeightMap
from kinblend.errors import LatentShapeError, PackError
from kinblend.imaging import to_pictures
from kinblend.interfaces import Noise, ProjectionProgress, Region
from kinblend.inversion import (
    InversionNearW,
    as_detail,
    blend_changes,
    changed,
    check_changes,
    drawn_apart,
    tuned,
    weight_changes,
)
from kinblend.tensor_files import SafetensorError, safe_open
from kinblend_plugins.mobilestylegan.generator import Generator, build
from kinblend_plugins.mobilestylegan.layers import SMALLEST
from kinblend_plugins.mobilestylegan.regions import moved, region_detail, regions_of

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel

# First and last of the 23 layers; what a group is about was seen by exchanging it between people.
LAYER_GROUPS = {
    "head and pose": (0, 6),
    "features": (7, 12),
    "complexion and light": (13, 18),
    "fine detail": (19, 22),
}
_POINTWISE = r"levels\.(\d+)\.(first|second)\.pointwise"
TUNED = 1 / 32  # of the side: weights of maps no smaller may change, so that a head stays where the code has it
OF_ANY_AGE = 1 / 4  # of the side: what changes in maps no smaller is texture, that a child has as well
CHILD, GROWN = 12.0, 20.0  # years between which other changes come in


class MobileStyleGANProjector(Projector):
    """The generator in `generator.safetensors` of the pack, the heads for smaller pictures in `heads.safetensors`.

    Raises `PackError` where pack and generator disagree, and `CheckpointError` naming the tensor where it is no
    MobileStyleGAN.
    """

    noise_kinds = ("const", "none")
    together = 16

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        tensors = _read(context, "generator.safetensors")
        if "heads.safetensors" in context.files:
            tensors |= _read(context, "heads.safetensors")
        self.module = self.generator = build(tensors)
        self.resolution = self.generator.resolution
        self._inversion = InversionNearW()
        if (context.space.layers, context.space.dim) != (self.generator.layers, self.generator.dim):
            raise PackError(
                f"the pack's latent space is {context.space}, but its generator takes "
                f"[{self.generator.layers}, {self.generator.dim}]; import it again"
            )

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Codes of z, the same w in each layer, truncated by psi: [n, D] → float32 [n, L, D] on the CPU."""
        with torch.no_grad():
            w = self.generator.mapping(z.to(self.generator.w_avg)).cpu()
        codes = w[:, None].expand(-1, self.space.layers, -1)
        result: Tensor = (self.average() + psi * (codes - self.average())).contiguous()
        return result

    def average(self) -> Tensor:
        """The latent average, float32 [L, D] on the CPU."""
        return self.generator.w_avg.float().cpu().expand(self.space.layers, -1)

    def style_weights(self) -> list[Tensor]:
        """As `kinblend.interfaces.HasStyleWeights` says."""
        return [modulation.weight.detach().float().cpu() for modulation in self.generator.modulations()]

    def synthesize(
        self, codes: Tensor, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """Pictures of codes: float32 [n, L, D] → float32 [n, 3, R, R] on the CPU, RGB about [−1, 1].

        Differentiable with respect to `codes`. size: pictures of 64 to 512 px cost what they are worth, where the
        pack has heads for them. Raises `LatentShapeError` and `UsageError`.
        """
        if codes.ndim != 3 or tuple(codes.shape[1:]) != (self.space.layers, self.space.dim):
            raise LatentShapeError(
                f"codes must have shape [n, {self.space.layers}, {self.space.dim}], not {list(codes.shape)}"
            )
        noise = self.choose_noise(noise)
        result: Tensor = self.generator(self._send(codes), noise == "const", size).float().cpu().contiguous()
        return result

    def preview(self, size: int) -> Callable[[Tensor], Tensor]:
        """As the interface says; in bfloat16 on processors that have instructions for it."""
        if not self._rounds():
            return super().preview(size)
        with torch.inference_mode(False):
            copied = copy.deepcopy(self.generator).to(torch.bfloat16)
        return lambda codes: copied(codes.to(torch.bfloat16), size=size)

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

    def render(
        self, latents: Sequence[Latent], *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> list[Image]:
        """Pictures of latents, each drawn with its own changes of the weights and regions where it has any.

        Raises `InputError` for changes and regions that do not fit this generator.
        """
        return drawn_apart(
            latents,
            lambda plain: super(MobileStyleGANProjector, self).render(plain, noise=noise, seed=seed, size=size),
            lambda latent: to_pictures(self.synthesize_latent(latent, noise=noise, size=size))[0],
            lambda latent: bool(weight_changes(latent)) or regions_of(latent) is not None,
        )

    @torch.inference_mode()
    def synthesize_latent(
        self, latent: Latent, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """As the interface says. Raises `InputError` for changes and regions that do not fit this generator."""
        changes, regions = weight_changes(latent), regions_of(latent)
        check_changes(changes, self.changeable_weights())
        code, has_noise = self._send(latent.code[None]), self.choose_noise(noise) == "const"
        with changed(self.generator, self._with_heads(changes, size)) as generator:
            if regions is None:
                drawn: Tensor = generator(code, has_noise, size)
            else:
                drawn = generator.with_regions(code, regions, has_noise, size)
        return drawn.float().cpu()

    def tune(
        self,
        image: Image,
        latent: Latent,
        *,
        steps: int = 30,
        progress: Callable[[ProjectionProgress], bool | None] | None = None,
    ) -> Latent:
        """As `kinblend.interfaces.TunesWeights` says: the pointwise convolutions of the larger maps."""
        check_changes(weight_changes(latent), self.changeable_weights())

        def draw(generator: Generator, weights: Mapping[str, Tensor], code: Tensor) -> Tensor:
            result: Tensor = torch.func.functional_call(
                _Layered(generator), {f"generator.{name}": weight for name, weight in weights.items()}, (code,)
            )
            return result.float()

        return tuned(self.generator, self.changeable_weights(), draw, image, latent, steps, progress)

    def blend_detail(
        self, father: Latent, mother: Latent, weights: WeightMap, options: BaseModel
    ) -> Mapping[str, Tensor]:
        """Both parents' changes of the weights, by the father's mean share of the layer of each."""
        shares = weights.values.mean(1)
        return blend_changes(father, mother, lambda name: float(shares[_layer(name, len(shares))]))

    def edit_detail(self, latent: Latent, code: Tensor) -> Mapping[str, Tensor]:
        """Changes of the weights stay as they are; people who lent regions are edited like the child."""
        return moved(latent.detail, code - latent.code)

    def blend_regions(self, child: Latent, people: Sequence[tuple[Latent, Region]]) -> Latent:
        """As `kinblend.interfaces.BlendsRegions` says: as detail, which `render` draws."""
        return replace(child, detail={**child.detail, **region_detail(people)})

    def detail_at_age(self, latent: Latent, years: float) -> Mapping[str, Tensor]:
        """Changes of the largest maps alone for a child; a growing share of the others from 12 to 20 years.

        With all changes of their grown parents, children of four are seen as nearly a year older, and boys have
        stubble.
        """
        share = min(max((years - CHILD) / (GROWN - CHILD), 0.0), 1.0)
        changes = weight_changes(latent)
        left = {
            name: change if self._is_of_any_age(name) else change * share
            for name, change in changes.items()
            if share or self._is_of_any_age(name)
        }
        others = {name: value for name, value in latent.detail.items() if name not in as_detail(changes)}
        return {**others, **as_detail(left)}

    def _is_of_any_age(self, name: str) -> bool:
        level = re.fullmatch(_POINTWISE, name)
        return level is None or self._side(int(level[1])) >= OF_ANY_AGE * self.resolution

    def changeable_weights(self) -> dict[str, Tensor]:
        """As the interface says: pointwise convolutions of the larger maps, and the last that makes colours."""
        return {
            name: weight
            for name, weight in self.generator.named_parameters()
            if name == "picture.weight"
            or ((found := re.fullmatch(_POINTWISE, name)) and self._side(int(found[1])) >= TUNED * self.resolution)
        }

    def _side(self, level: int) -> int:
        """The side of the map of a level, counted from 0, in pixels."""
        return SMALLEST << (level + 1)

    def _with_heads(self, changes: Mapping[str, Tensor], size: int | None) -> dict[str, Tensor]:
        """Changes, and the same for the head that draws smaller pictures in the place of the later levels."""
        found, head = dict(changes), self.generator.head(size)
        if head is None:
            return found
        place = f"heads.{self.generator.picture_size(size)}"
        for name, change in changes.items():
            level = re.fullmatch(_POINTWISE, name)
            if name == "picture.weight":
                found[f"{place}.weight"] = change[: len(head.weight)]
            elif level and int(level[1]) >= head.start:
                found[f"{place}.levels.{int(level[1]) - head.start}.{level[2]}.pointwise"] = change
        return found

    def _rounds(self) -> bool:
        on_cpu = self.generator.constant.device.type == "cpu"
        return on_cpu and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())

    def layer_groups(self) -> Mapping[str, tuple[int, int]]:
        """What groups of layers are about, with the first and last layer of each."""
        last = self.generator.layers - 1
        return {name: (first, min(end, last)) for name, (first, end) in LAYER_GROUPS.items() if first <= last}

    def _send(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.generator.constant.device, self.generator.constant.dtype)


class _Layered(nn.Module):
    """A generator as gradients go through it."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, codes: Tensor) -> Tensor:
        return self.generator.layered(codes.to(self.generator.constant.dtype))


def _layer(name: str, layers: int) -> int:
    """The layer of the code whose style a changeable weight takes."""
    found = re.fullmatch(_POINTWISE, name)
    return layers - 1 if found is None else 3 * int(found[1]) + (2 if found[2] == "first" else 3)


def _read(context: Context, file: str) -> dict[str, Tensor]:
    if file not in context.files:
        raise PackError(f"the pack of '{context.space.backbone}' has no {file}; pull or import it again")
    try:
        with safe_open(context.files[file], framework="pt") as content:
            return {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise PackError(f"{context.files[file]} can't be read: {error}; pull or import its pack again") from error
