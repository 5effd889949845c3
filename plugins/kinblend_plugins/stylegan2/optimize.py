"""A picture → the code and the noise maps that reproduce it, by optimisation.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), appendix D, with a squared error over
scales in place of LPIPS, which needs a network of its own, and in W+ in place of W.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.cancellation import check_cancelled
from kinblend.interfaces import ProjectionProgress
from kinblend_plugins.stylegan2.generator import Generator

RATE = 0.05  # Adam's
PATIENCE = 50  # steps without progress before it ends
PROGRESS = 1e-3  # the share of the loss that counts as progress
WHITENESS = 1e2  # weight of the noise regularisation
SMALLEST = 8  # px of the smallest scale whose noise is kept white


def project(
    generator: Generator,
    target: Tensor,
    code: Tensor,
    noises: Sequence[Tensor],
    steps: int,
    progress: Callable[[ProjectionProgress], bool | None] | None,
) -> tuple[Tensor, list[Tensor]]:
    """The best code [1, L, D] and noise maps met.

    target: [1, 3, R, R] in [−1, 1]. code, noises: where to begin. steps: the most that are taken.
    """
    with torch.inference_mode(False), torch.enable_grad():
        target = target.clone()
        code = code.clone().requires_grad_()
        maps = [noise.clone().requires_grad_() for noise in noises]
        optimizer = torch.optim.Adam([code, *maps], lr=RATE)
        best, lowest, mark, waited = _copy(code, maps), float("inf"), float("inf"), 0
        for step in range(steps + 1):  # the last only measures
            check_cancelled()
            loss = difference(generator(code, maps), target) + WHITENESS * unevenness(maps)
            value = float(loss.detach())
            if value < lowest:
                best, lowest = _copy(code, maps), value
            waited = 0 if value < mark * (1 - PROGRESS) else waited + 1
            mark = value if waited == 0 else mark
            stopped = progress is not None and step and progress(ProjectionProgress(step, steps, value)) is False
            if stopped or step == steps or waited >= PATIENCE:
                break
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            _normalize(maps)
    return best


def difference(image: Tensor, target: Tensor) -> Tensor:
    """Mean squared error, averaged over the full size and its halvings down to 16 px."""
    losses = [F.mse_loss(image, target)]
    while image.shape[-1] > 16:
        image, target = F.avg_pool2d(image, 2), F.avg_pool2d(target, 2)
        losses.append(F.mse_loss(image, target))
    return torch.stack(losses).mean()


def unevenness(noises: Sequence[Tensor]) -> Tensor:
    """How far noise maps are from white: squared correlation with the neighbours, summed over maps and scales."""
    total = noises[0].new_zeros(())
    for noise in noises:
        level = noise[None, None]
        while level.shape[-1] >= SMALLEST:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean().square()
            level = F.avg_pool2d(level, 2) * 2  # times two keeps white noise at unit variance
    return total


@torch.no_grad()
def _normalize(noises: Sequence[Tensor]) -> None:
    """Back to mean 0 and variance 1, the distribution the generator was trained with."""
    for noise in noises:
        noise.sub_(noise.mean()).div_(noise.square().mean().sqrt().clamp_min(1e-8))


def _copy(code: Tensor, noises: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    return code.detach().clone(), [noise.detach().clone() for noise in noises]
