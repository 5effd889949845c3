"""Pivotal tuning: a generator's weights fitted to one photograph, around the code that was found for it.

Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images" (2021). Theirs takes hundreds of steps on all
weights; here some tens on the convolutions of the larger maps, whose changes are small and mix well, so that the
child of two people can have a share of both (`weight_changes`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.cancellation import check_cancelled
from kinblend.errors import DeviceMemoryError, UsageError
from kinblend.identity import identity_network
from kinblend.identity.dlib_resnet import DlibResNet
from kinblend.imaging import to_batch
from kinblend.interfaces import ProjectionProgress
from kinblend.inversion.losses import (
    edges,
    feature_distance,
    head_weight,
    identity_distance,
    identity_features,
    picture_distance,
    resized,
)
from kinblend.inversion.refine import adam_step, pace
from kinblend.inversion.weight_changes import (
    as_detail,
    change_shape,
    changed,
    is_in_pieces,
    multiplied,
    shared_copy,
    weight_changes,
)
from kinblend.types import Latent

if TYPE_CHECKING:
    from PIL.Image import Image

COMPARED = 512  # px at which a picture is compared with the photograph, at most
Generator = TypeVar("Generator", bound=torch.nn.Module)

NEIGHBOURS = (4, 16)  # px over which the strength of edges is averaged


@dataclass(frozen=True)
class TuningWeights:
    """What the terms of the loss count. rate: of Adam's steps, for relative changes of weights.

    Pixels alone would have it blur what it can't place; `texture` asks for as much of it as the photograph has.
    """

    pixels: float = 1.0
    identity: float = 1.0
    features: float = 1.0
    texture: float = 5.0
    rate: float = 0.004


def tune(
    draw: Callable[[Mapping[str, Tensor]], Tensor],
    shapes: Mapping[str, Sequence[int]],
    network: DlibResNet,
    target: Tensor,
    steps: int,
    progress: Callable[[int, float], bool | None] | None = None,
    weights: TuningWeights = TuningWeights(),
) -> dict[str, Tensor]:
    """The changes of weights with which a generator draws the target best, float32 by name.

    draw: changes → picture [1, 3, R, R] of the pivot, differentiable. shapes: of the changes. target: float32
    [1, 3, S, S] in [−1, 1], aligned. network: sees who it is. steps: of Adam. progress: told step and loss; by
    returning False it ends the work with what is found so far.
    """
    with torch.inference_mode(False), torch.enable_grad():
        target = target.clone()
        where = head_weight(target.shape[-1]).to(target)
        with torch.no_grad():
            wanted = identity_features(network, target)
        changes = {name: target.new_zeros(*shape).requires_grad_() for name, shape in shapes.items()}
        moments = {name: (torch.zeros_like(change), torch.zeros_like(change)) for name, change in changes.items()}
        for step in range(1, steps + 1):
            check_cancelled()
            picture = resized(draw(changes).to(target), target.shape[-1])
            seen = identity_features(network, picture)
            loss = (
                weights.pixels * picture_distance(picture, target, where)
                + weights.identity * identity_distance(seen, wanted)
                + weights.features * feature_distance(seen, wanted)
                + weights.texture * texture_distance(picture, target, where)
            ).sum()
            gradients = torch.autograd.grad(loss, list(changes.values()))
            for name, gradient in zip(changes, gradients, strict=True):
                adam_step(changes[name], gradient, moments[name], step, weights.rate * pace(step, steps))
            if progress is not None and progress(step, float(loss.detach())) is False:
                break
        return {name: change.detach() for name, change in changes.items()}


def tuned(
    generator: Generator,
    names: Iterable[str],
    draw: Callable[[Generator, Mapping[str, Tensor], Tensor], Tensor],
    image: Image,
    latent: Latent,
    steps: int,
    progress: Callable[[ProjectionProgress], bool | None] | None = None,
) -> Latent:
    """`kinblend.interfaces.TunesWeights.tune` for one generator.

    names: of the weights that are tuned, as the generator's parameters are named. draw: a generator, weights in the
    place of its own and a code [1, L, D] → the picture [1, 3, R, R], differentiable with respect to the weights.
    What the latent has of changes already, of these weights and of others, is where it begins; whoever calls has
    checked that they fit (`check_changes`).

    Raises `UsageError` for negative steps, `DeviceMemoryError` where the generator is on its device in pieces.
    """
    if steps < 0:
        raise UsageError(f"tuning takes 0 steps or more, not {steps}")
    if is_in_pieces(generator):
        raise DeviceMemoryError("tuning needs the whole generator on the device; allow more memory, or do not tune")
    before = weight_changes(latent)
    with changed(generator, before) as start, torch.inference_mode(False):
        pivot = shared_copy(start)  # of its own: several people are tuned at once
        weights = {name: dict(pivot.named_parameters())[name].detach().clone() for name in names}
        device = next(iter(weights.values())).device
        code = latent.code[None].to(device, copy=True)
        network = identity_network() if device.type == "cpu" else copy.deepcopy(identity_network()).to(device)

        def picture(changes: Mapping[str, Tensor]) -> Tensor:
            return draw(pivot, {name: multiplied(weights[name], change) for name, change in changes.items()}, code)

        with torch.no_grad():
            side = min(COMPARED, picture({}).shape[-1])
        target = to_batch([image], side).to(device)
        shapes = {name: change_shape(weight) for name, weight in weights.items()}

        def tell(step: int, loss: float) -> bool | None:
            return None if progress is None else progress(ProjectionProgress(step, steps, loss))

        found = tune(picture, shapes, network, target, steps, tell) if steps else {}
    total = {
        name: (1 + before.get(name, torch.zeros(())).float()) * (1 + change.cpu()) - 1
        for name, change in found.items()
    }
    return replace(latent, detail={**latent.detail, **as_detail(total)})


def texture_distance(pictures: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """How much stronger or weaker edges are on average around each place, wherever they lie exactly: [n].

    Arguments as `picture_distance` takes them.
    """
    away = [
        (F.avg_pool2d(ours.abs(), side) - F.avg_pool2d(theirs.abs(), side)).abs().mean((1, 2, 3))
        for ours, theirs in zip(edges(pictures * weight), edges(truth * weight), strict=True)
        for side in NEIGHBOURS
        if min(ours.shape[2:]) >= side
    ]
    return torch.stack(away).mean(0)
