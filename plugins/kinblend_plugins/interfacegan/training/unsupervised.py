"""Directions without labels: what varies most in a generator's codes, and what changes its styles most.

Härkönen et al., "GANSpace: Discovering Interpretable GAN Controls" (2020): principal components of W. Shen and Zhou,
"Closed-Form Factorization of Latent Semantics in GANs" (SeFa, 2021): eigenvectors of the weights that turn codes into
styles. Such directions have no names; pictures of their ends tell what they are about.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from kinblend import LatentSpace, Projector
from kinblend.errors import UnsupportedError
from kinblend.files import replacing
from kinblend.interfaces import HasStyleWeights, SamplesLatents

SAMPLES = 10_000  # codes whose spread is the unit of SeFa's directions


class Found(NamedTuple):
    """steps: [K, D], each as long as codes spread along it (one standard deviation). shares: [K], of what all
    directions together would explain; they fall. about: what the shares are of."""

    steps: Tensor
    shares: Tensor
    about: str


def principal_components(projector: Projector, count: int, samples: int, seed: int) -> Found:
    """GANSpace in W: the main axes of codes that the generator draws.

    Raises `UnsupportedError` where it draws none.
    """
    codes = _drawn(projector, samples, seed)
    axes, variances = _main_axes(torch.cov(codes.T))
    steps = axes[:count] * variances[:count, None].sqrt()
    return Found(steps.float(), (variances[:count] / variances.sum()).float(), "the variance of codes")


def closed_form_factors(projector: Projector, count: int, layers: slice) -> Found:
    """SeFa: the directions of w that change the styles of these layers most.

    Their unit is one standard deviation of codes along them, where the generator draws codes; else their length is 1.
    Raises `UnsupportedError` where the generator has no styles.
    """
    if not isinstance(projector, HasStyleWeights):
        raise UnsupportedError(f"{projector.title} has no style weights; use the trainer ganspace")
    rows = torch.cat([weight.double() for weight in projector.style_weights()[layers]])
    axes, strengths = _main_axes(rows.T @ rows)
    steps = axes[:count]
    if isinstance(projector, SamplesLatents):
        steps = steps * (_drawn(projector, SAMPLES, 0) @ steps.T).std(0)[:, None]
    return Found(steps.float(), (strengths[:count] / strengths.sum()).float(), "the change of styles")


def write_found(out: Path, found: Found, space: LatentSpace, layers: slice, source: str) -> list[str]:
    """Write directions `component-1` … as a pack's file of directions. Returns a line about each."""
    names = [f"component-{number}" for number in range(1, len(found.steps) + 1)]
    notes = [f"{share:.1%} of {found.about}" for share in found.shares.tolist()]
    laid = found.steps.new_zeros(len(found.steps), space.layers, space.dim)
    laid[:, layers] = found.steps[:, None]
    tensors = {name: step.contiguous() for name, step in zip(names, laid, strict=True)}
    with replacing(out) as part:
        save_file(tensors, part, {name: f"{source}, {note}" for name, note in zip(names, notes, strict=True)})
    return [f"{name}: {note}" for name, note in zip(names, notes, strict=True)]


def codes_to_show(projector: Projector) -> Tensor:
    """Codes that pictures of directions begin with, [3, L, D]: the latent average and two that are drawn; only the
    zero where the generator draws none."""
    if not isinstance(projector, SamplesLatents):
        return torch.zeros(1, projector.space.layers, projector.space.dim)
    drawn = projector.map(torch.randn(2, projector.space.dim, generator=torch.Generator().manual_seed(0)), psi=0.7)
    return torch.cat([projector.average()[None], drawn])


def _main_axes(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors [D, D] as rows and eigenvalues [D] of a symmetric matrix, the largest first.

    Of both ends of an axis the one whose largest number is positive, so that machines agree on what "+" is.
    """
    values, vectors = torch.linalg.eigh(matrix)
    axes = vectors.T.flip(0)
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return axes * largest.sign(), values.flip(0).clamp_min(0)


def _drawn(projector: Projector, samples: int, seed: int) -> Tensor:
    """w of samples, without truncation: float64 [n, D]."""
    if not isinstance(projector, SamplesLatents):
        raise UnsupportedError(f"{projector.title} draws no codes: it has no mapping network")
    chunks: Sequence[Tensor] = torch.randn(
        samples, projector.space.dim, generator=torch.Generator().manual_seed(seed)
    ).split(1000)
    return torch.cat([projector.map(z)[:, 0].double() for z in chunks])
