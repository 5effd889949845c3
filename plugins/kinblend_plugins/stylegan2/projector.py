"""Codes → pictures with StyleGAN2; and a picture → its code by optimisation.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend import Context, Latent, Noise, ProjectionProgress, Projector
from kinblend.errors import LatentShapeError, PackError, UsageError
from kinblend.imaging import to_batch
from kinblend_plugins.stylegan2.files import read_tensors
from kinblend_plugins.stylegan2.generator import build
from kinblend_plugins.stylegan2.names import translate

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel

_RATE = 0.05  # Adam's
_PATIENCE = 50  # steps without progress before the optimisation ends
_PROGRESS = 1e-3  # the share of the loss that counts as progress


class StyleGAN2Projector(Projector):
    """A generator of either published family, as `generator.safetensors` of the pack names its tensors.

    Raises `PackError` where pack and generator disagree on resolution or latent space, and `CheckpointError`
    naming the tensor where the generator is no StyleGAN2.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        tensors = translate(read_tensors(context, "generator.safetensors"))
        self.module = self.generator = build(tensors)
        self.resolution = self.generator.resolution
        _check(context, self.resolution, self.generator.layers, self.generator.dim)
        self._has_average = "w_avg" in tensors

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

    def synthesize(self, codes: Tensor, *, noise: Noise = "const", seed: int = 0) -> Tensor:
        """Pictures of codes: float32 [n, L, D] → float32 [n, 3, R, R] on the CPU, RGB about [−1, 1].

        Differentiable with respect to `codes`. Random noise is the same for every code of a batch, so that a picture
        does not depend on its neighbours. Raises `LatentShapeError` and `UsageError`.
        """
        if codes.ndim != 3 or tuple(codes.shape[1:]) != (self.space.layers, self.space.dim):
            raise LatentShapeError(
                f"codes must have shape [n, {self.space.layers}, {self.space.dim}], not {list(codes.shape)}"
            )
        return self.generator(self._send(codes), self._noises(noise, seed)).float().cpu()

    def project(
        self,
        image: Image,
        *,
        start: Latent | None = None,
        steps: int = 300,
        seed: int = 0,
        progress: Callable[[ProjectionProgress], None] | None = None,
    ) -> Latent:
        """The code whose picture is nearest to an aligned crop: Adam over all layers, squared error at several scales.

        The noise maps stay as stored and nothing is drawn: `seed` changes nothing. Ends early when the loss stalls;
        gives the best code met. Raises `UsageError` for negative steps, `LatentSpaceError` for a foreign start.
        """
        if steps < 0:
            raise UsageError(f"steps={steps}: give 0 or more")
        if start is not None:
            self.space.require(start.space, "start")
        with torch.inference_mode(False), torch.enable_grad():
            target = to_batch([image], self.resolution)
            code = (self.average() if start is None else start.code).clone()[None].requires_grad_()
            optimizer = torch.optim.Adam([code], lr=_RATE)
            best, lowest, mark, waited = code.detach().clone(), float("inf"), float("inf"), 0
            for step in range(steps + 1):  # the last only measures
                loss = _difference(self.synthesize(code), target)
                value = float(loss.detach())
                if value < lowest:
                    best, lowest = code.detach().clone(), value
                waited = 0 if value < mark * (1 - _PROGRESS) else waited + 1
                mark = value if waited == 0 else mark
                if progress is not None and step:
                    progress(ProjectionProgress(step, steps, value))
                if step == steps or waited >= _PATIENCE:
                    break
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        return Latent(best[0], self.space)

    def _send(self, tensor: Tensor) -> Tensor:
        return tensor.to(self.generator.const)

    def _noises(self, kind: Noise, seed: int) -> list[Tensor | None]:
        convs = self.generator.convs
        if kind == "none":
            return [None] * len(convs)
        if kind == "const":
            return [conv.noise for conv in convs]
        if kind != "random":
            raise UsageError(f"noise={kind!r}: use {', '.join(self.noise_kinds)}")
        source = torch.Generator().manual_seed(seed)
        return [self._send(torch.randn(conv.size, conv.size, generator=source)) for conv in convs]


def _difference(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, averaged over the full size and its halvings down to 16 px."""
    losses = [F.mse_loss(image, target)]
    while image.shape[-1] > 16:
        image, target = F.avg_pool2d(image, 2), F.avg_pool2d(target, 2)
        losses.append(F.mse_loss(image, target))
    return torch.stack(losses).mean()


def _check(context: Context, resolution: int, layers: int, dim: int) -> None:
    stated = int(context.settings.get("resolution", resolution))
    if stated != resolution:
        raise PackError(f"the pack states {stated} px, but its generator makes {resolution}; import it again")
    if (context.space.layers, context.space.dim) != (layers, dim):
        raise PackError(
            f"the pack's latent space is {context.space}, but its generator takes [{layers}, {dim}]; import it again"
        )
