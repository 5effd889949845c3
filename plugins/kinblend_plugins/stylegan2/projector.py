"""Codes → pictures with StyleGAN2; and a picture → its code by optimisation.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from kinblend import Context, Latent, Projector, WeightMap
from kinblend.errors import LatentShapeError, PackError, UsageError
from kinblend.imaging import to_batch, to_pictures
from kinblend.interfaces import Noise, ProjectionProgress
from kinblend.inversion import blend_changes, changed, check_changes, drawn_apart, tuned, weight_changes
from kinblend_plugins.stylegan2 import optimize
from kinblend_plugins.stylegan2.compiled import Draw, compiled
from kinblend_plugins.stylegan2.files import read_tensors
from kinblend_plugins.stylegan2.generator import Generator, build
from kinblend_plugins.stylegan2.layers import StyledConv, ToRGB
from kinblend_plugins.stylegan2.names import translate

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel


_CONVOLUTION = r"(convs|colours)\.(\d+)\.weight"
TUNED = 1 / 32  # of the side: weights of maps no smaller are tuned, so that a head stays where the code has it
TOGETHER = 4  # pictures that are made at once: the small maps gain by it, and the large ones take memory


class StyleGAN2Projector(Projector):
    """A generator of either published family, as `generator.safetensors` of the pack names its tensors.

    options: `ProjectorOptions`. Raises `UsageError` where it can't be compiled, `PackError` where pack and generator
    disagree on resolution or latent space, and `CheckpointError` naming the tensor where it is no StyleGAN2.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        tensors = translate(read_tensors(context, "generator.safetensors"))
        self.module = self.generator = build(tensors, context.settings.get("conv_clamp"))
        self.resolution = self.generator.resolution
        _check(context, self.resolution, self.generator.layers, self.generator.dim)
        self._has_average = "w_avg" in tensors
        self._draw: Draw = compiled(self.generator) if self.options.compile else self.generator

    def layer_groups(self) -> Mapping[str, tuple[int, int]]:
        """The coarse, middle and fine layers (Karras et al. 2019, section 3) under what they are about."""
        return layer_groups(self.space.layers)

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Codes of z, the same w in each layer, truncated by psi: [n, D] → float32 [n, L, D] on the CPU."""
        w = self.generator.mapping(self._send(z.float()))
        codes = w.float().cpu()[:, None].expand(-1, self.space.layers, -1)
        return self.truncate(codes, psi).contiguous()

    def truncate(self, codes: Tensor, psi: float, average: Tensor | None = None) -> Tensor:
        """average + psi · (codes − average): float32 [n, L, D]. average: [D] or [L, D]; by default `average()`."""
        if psi == 1:
            return codes
        center = self.average() if average is None else average
        return center + psi * (codes - center)

    def average(self) -> Tensor:
        """The latent average, float32 [L, D] on the CPU.

        The generator's own where it has one, else the encoder's, else the mean over 4096 seeded draws.
        """
        shape = (self.space.layers, self.space.dim)
        if self._has_average:
            return self.generator.w_avg.float().cpu().expand(shape)
        if "encoder.safetensors" in self.context.files:
            found = read_tensors(self.context, "encoder.safetensors", only="latent_avg").get("latent_avg")
            if found is not None and tuple(found.shape) != shape:
                raise PackError(f"the encoder's tensor latent_avg has shape {list(found.shape)}, not {list(shape)}")
            if found is not None:
                return found.float()
        z = torch.randn(4096, self.generator.dim, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            return self.generator.mapping(self._send(z)).float().mean(dim=0).cpu().expand(shape)

    def style_weights(self) -> list[Tensor]:
        """As `kinblend.interfaces.HasStyleWeights` says: of the convolution of each layer, and of the colours that
        follow every other one and take the next layer's code."""
        heard: list[list[Tensor]] = [[] for _ in range(self.space.layers)]
        for layer, conv in enumerate(self._convs()):
            heard[layer].append(conv.affine.weight * conv.affine.scale)
        for step, colours in enumerate(cast("list[ToRGB]", list(self.generator.colours))):
            heard[2 * step + 1].append(colours.affine.weight * colours.affine.scale)
        return [torch.cat(weights).detach().float().cpu() for weights in heard]

    def synthesize(
        self, codes: Tensor, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """Pictures of codes: float32 [n, L, D] → float32 [n, 3, R, R] on the CPU, RGB about [−1, 1].

        Differentiable with respect to `codes`. Random noise is the same for every code of a batch, so that a picture
        does not depend on its neighbours. Raises `LatentShapeError` and `UsageError`.
        """
        if codes.ndim != 3 or tuple(codes.shape[1:]) != (self.space.layers, self.space.dim):
            raise LatentShapeError(
                f"codes must have shape [n, {self.space.layers}, {self.space.dim}], not {list(codes.shape)}"
            )
        return (
            self._draw(self._send(codes), self._noises(self.choose_noise(noise), seed), size)
            .float()
            .cpu()
            .contiguous()
        )

    def render(
        self, latents: Sequence[Latent], *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> list[Image]:
        """Pictures of latents; with "const" noise, a latent's own noise maps stand in for the stored ones."""

        def together(plain: Sequence[Latent]) -> list[Image]:
            pictures: list[Image] = []
            with torch.inference_mode():
                for start in range(0, len(plain), TOGETHER):
                    some = plain[start : start + TOGETHER]
                    codes = self._send(torch.stack([latent.code for latent in some]))
                    drawn = self._draw(codes, self._maps_of(some, noise, seed), size)
                    pictures += to_pictures(drawn.float().cpu())
            return pictures

        return drawn_apart(
            latents,
            together,
            lambda latent: to_pictures(self.synthesize_latent(latent, noise=noise, seed=seed, size=size))[0],
        )

    @torch.inference_mode()
    def synthesize_latent(
        self, latent: Latent, *, noise: Noise | None = None, seed: int = 0, size: int | None = None
    ) -> Tensor:
        """As the interface says. Raises `InputError` for changes that do not fit this generator."""
        changes = weight_changes(latent)
        check_changes(changes, self.changeable_weights())
        maps = self._maps_of([latent], noise, seed)
        with changed(self.generator, changes) as generator:
            drawn: Tensor = generator(self._send(latent.code[None]), maps, size)
        return drawn.float().cpu()

    def tune(
        self,
        image: Image,
        latent: Latent,
        *,
        steps: int = 30,
        progress: Callable[[ProjectionProgress], bool | None] | None = None,
    ) -> Latent:
        """As `kinblend.interfaces.TunesWeights` says: the convolutions of the larger maps, and their colours."""
        check_changes(weight_changes(latent), self.changeable_weights())
        maps = self._maps_of([latent], "const", 0)

        def draw(generator: Generator, weights: Mapping[str, Tensor], code: Tensor) -> Tensor:
            given = {f"generator.{name}": weight for name, weight in weights.items()}
            # What the convolutions keep of their weights is made of these.
            given |= {
                f"generator.{name.removesuffix('weight')}energy": weight.float().square().sum((2, 3))
                for name, weight in weights.items()
            }
            result: Tensor = torch.func.functional_call(_Layered(generator), given, (code, maps))
            return result.float()

        names = [name for name in self.changeable_weights() if self._side(name) >= TUNED * self.resolution]
        return tuned(self.generator, names, draw, image, latent, steps, progress)

    def changeable_weights(self) -> dict[str, Tensor]:
        """As the interface says: of all convolutions, and of the colours after every other one."""
        convs, colours = self.generator.styled, self.generator.to_rgb
        found: dict[str, Tensor] = {}
        for number, conv in enumerate(convs):
            found[f"convs.{number}.weight"] = conv.weight
            if number % 2 == 0:
                found[f"colours.{number // 2}.weight"] = colours[number // 2].weight
        return found

    def _side(self, name: str) -> int:
        """The side of the map that a changeable weight makes, in pixels."""
        kind, number = _convolution(name)
        return 4 << (number if kind == "colours" else (number + 1) // 2)

    def _maps_of(self, latents: Sequence[Latent], noise: Noise | None, seed: int) -> list[Tensor | None]:
        """Noise maps [r, r] for all, or [n, 1, r, r] where a latent has maps of its own."""
        noise = self.choose_noise(noise)
        shared = self._noises(noise, seed)
        if noise != "const" or not any(name in latent.detail for latent in latents for name in self._names()):
            return shared
        stored = dict(zip(self._names(), shared, strict=True))
        maps = [[latent.detail.get(name, stored[name]) for latent in latents] for name in self._names()]
        return [torch.stack([self._send(one)[None] for one in same if one is not None]) for same in maps]

    def blend_detail(
        self, father: Latent, mother: Latent, weights: WeightMap, options: BaseModel
    ) -> Mapping[str, Tensor]:
        """Noise maps and changes of weights by the father's mean share of the layer that each belongs to.

        Maps are kept at unit variance. A parent without maps of its own has the stored ones.
        """
        shares = weights.values.mean(1)
        changes = blend_changes(father, mother, lambda name: float(shares[_layer(name)]))
        return {**self._blend_maps(father, mother, weights), **changes}

    def _blend_maps(self, father: Latent, mother: Latent, weights: WeightMap) -> dict[str, Tensor]:
        names = self._names()
        if not any(name in person.detail for person in (father, mother) for name in names):
            return {}
        stored = {name: conv.noise.cpu().half() for name, conv in zip(self._names(), self._convs(), strict=True)}
        blended = {}
        for layer, name in enumerate(self._names()):
            share = float(weights.values[layer].mean())
            ours, theirs = (person.detail.get(name, stored[name]).float() for person in (father, mother))
            mixed = ours * share + theirs * (1 - share)
            # Maps that have nothing in common lose contrast when they are mixed, equal ones do not.
            contrast = ours.std() * share + theirs.std() * (1 - share)
            blended[name] = (mixed * (contrast / mixed.std().clamp_min(1e-6))).half()
        return blended

    def edit_detail(self, latent: Latent, code: Tensor) -> Mapping[str, Tensor]:
        """Noise maps and changes of weights stay as they are."""
        return latent.detail

    def project(
        self,
        image: Image,
        *,
        start: Latent | None = None,
        steps: int = 300,
        seed: int = 0,
        progress: Callable[[ProjectionProgress], bool | None] | None = None,
    ) -> Latent:
        """The latent whose picture is nearest to an aligned crop: `optimize.project` over W+ and the noise maps.

        Nothing is drawn: `seed` changes nothing. Ends early when the loss stalls and gives the best latent met, its
        noise maps as detail `noise.0`, `noise.1` …, float16. Raises `UsageError` for negative steps and
        `LatentSpaceError` for a foreign start.
        """
        if steps < 0:
            raise UsageError(f"steps={steps}: give 0 or more")
        if start is not None:
            self.space.require(start.space, "start")
        code = self.average() if start is None else start.code
        target = self._send(to_batch([image], self.resolution))
        maps = self._noises("const", 0)
        if start is not None and all(name in start.detail for name in self._names()):
            maps = [self._send(start.detail[name].float()) for name in self._names()]
        found, noises = optimize.project(
            self.generator, target, self._send(code[None]), [m for m in maps if m is not None], steps, progress
        )
        detail = {name: noise.cpu().half() for name, noise in zip(self._names(), noises, strict=True)}
        return Latent(found[0].float().cpu(), self.space, detail)

    def _convs(self) -> list[StyledConv]:
        return [conv for conv in self.generator.convs if isinstance(conv, StyledConv)]

    def _names(self) -> list[str]:
        """Of the noise maps in a latent's detail."""
        return [f"noise.{index}" for index in range(len(self.generator.convs))]

    def _send(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.generator.const.device, torch.float32)

    def _noises(self, kind: Noise, seed: int) -> list[Tensor | None]:
        convs = self._convs()
        if kind == "none":
            return [None] * len(convs)
        if kind == "const":
            return [conv.noise for conv in convs]
        source = torch.Generator().manual_seed(seed)
        return [self._send(torch.randn(conv.size, conv.size, generator=source)) for conv in convs]


class _Layered(nn.Module):
    """A generator as gradients go through it."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, codes: Tensor, noises: Sequence[Tensor | None]) -> Tensor:
        return self.generator.layered(codes, noises)


def _convolution(name: str) -> tuple[str, int]:
    """A changeable weight's kind, "convs" or "colours", and its number."""
    found = re.fullmatch(_CONVOLUTION, name)
    assert found is not None, name
    return found[1], int(found[2])


def _layer(name: str) -> int:
    """The layer of the code whose style a changeable weight takes: those of colours follow every other conv."""
    kind, number = _convolution(name)
    return 2 * number + 1 if kind == "colours" else number


def _check(context: Context, resolution: int, layers: int, dim: int) -> None:
    stated = int(context.settings.get("resolution", resolution))
    if stated != resolution:
        raise PackError(f"the pack states {stated} px, but its generator makes {resolution}; import it again")
    if (context.space.layers, context.space.dim) != (layers, dim):
        raise PackError(
            f"the pack's latent space is {context.space}, but its generator takes [{layers}, {dim}]; import it again"
        )


def layer_groups(layers: int) -> dict[str, tuple[int, int]]:
    """Coarse (4 to 8 px), middle (16 to 32 px) and fine layers: name → first and last layer."""
    ends = [min(layers, end) for end in ((4, 8, layers) if layers >= 9 else (1, (layers + 1) // 2, layers))]
    groups = zip(("shape", "features", "complexion and detail"), [0, *ends[:-1]], ends, strict=True)
    return {name: (first, end - 1) for name, first, end in groups if end > first}
