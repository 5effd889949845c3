"""What one element of a code does: pictures of its two ends, where they differ, which attribute goes along.

An element is one dimension of one layer. Härkönen et al. 2020 (GANSpace) look at their directions in the same way.
Random elements of the same layer are looked at beside it, because some attribute always changes a little.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend.cancellation import check_cancelled
from kinblend.errors import UnsupportedError, UsageError, wrap_plugin_errors
from kinblend.evaluation.attributes import measure
from kinblend.evaluation.bootstrap import Estimate, over_families
from kinblend.faces.attributes import NAMES
from kinblend.faces.face_regions import REGIONS, region_masks
from kinblend.imaging import to_pictures
from kinblend.interfaces import SamplesLatents, network_of

if TYPE_CHECKING:
    from kinblend.backbone import Backbone
    from kinblend.types import LatentSpace

SIDE = 256  # px of the pictures that are compared
DRAWN = 2000  # codes that an element's standard deviation is told from
MEASURED = 48  # pictures that an attribute's standard deviation is told from
LEAST = 3  # people, for an interval


@dataclass(frozen=True, order=True)
class Element:
    """One dimension of one layer, both counted from 0; written "6:141"."""

    layer: int
    dimension: int

    def __str__(self) -> str:
        return f"{self.layer}:{self.dimension}"

    @classmethod
    def of(cls, text: str, space: LatentSpace) -> Element:
        """Read "6:141". Raises `UsageError` where it is no element of that space."""
        written = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text.strip())
        if written is None:
            raise UsageError(f"element {text!r:.40}: write layer:dimension, 6:141 for example, counted from 0")
        found = cls(int(written[1]), int(written[2]))
        if found.layer >= space.layers or found.dimension >= space.dim:
            raise UsageError(
                f"element {found}: {space.backbone} has layers 0 to {space.layers - 1} and dimensions 0 to "
                f"{space.dim - 1}"
            )
        return found


@dataclass(frozen=True)
class People:
    """Who is looked at.

    codes: float32 [n, L, D]. pictures: of these codes, float32 [n, 3, S, S] in [−1, 1]. spread: standard deviation of
    each element over many codes, [L, D]. attributes: of each attribute over people, [A], as
    `kinblend.evaluation.attributes.measure` has them.
    """

    codes: Tensor
    pictures: Tensor
    spread: Tensor
    attributes: Tensor


@dataclass(frozen=True)
class Effect:
    """What an element does, for one standard deviation of it.

    change: mean absolute difference of a pixel, in grey levels of 255. regions: the same within each of `REGIONS`.
    attributes: change of each, in standard deviations of people, with its interval over the people looked at; those
    that could not be measured are missing.
    """

    element: Element
    change: float
    regions: Mapping[str, float]
    attributes: Mapping[str, Estimate]

    @property
    def nearest(self) -> tuple[str, Estimate] | None:
        """The attribute that changes most among those whose interval excludes 0."""
        sure = [(name, one) for name, one in self.attributes.items() if one.low > 0 or one.high < 0]
        return max(sure, key=lambda pair: abs(pair[1].mean), default=None)


@dataclass(frozen=True)
class Traversal:
    """An effect and what it was told from.

    ends: float32 [n, 2, 3, S, S] in [−1, 1]: of each person the picture of the lower end and that of the upper one.
    where: mean absolute difference of each pixel, [S, S], in grey levels for one standard deviation. controls: what
    random elements of the same layer do.
    """

    effect: Effect
    ends: Tensor
    where: Tensor
    controls: Sequence[Effect]

    @property
    def moved_more(self) -> int:
        """How many of the controls change the picture less."""
        return sum(control.change < self.effect.change for control in self.controls)

    @property
    def chance(self) -> float:
        """The most that any attribute changes with any control, in its standard deviations."""
        changes = [abs(one.mean) for control in self.controls for one in control.attributes.values()]
        return max(changes, default=0.0)


def drawn_people(backbone: Backbone, count: int, seed: int, psi: float = 0.7) -> People:
    """People that the generator draws, truncated by psi. Raises `UnsupportedError` where it draws none."""
    projector = backbone.projector
    if not isinstance(projector, SamplesLatents):
        raise UnsupportedError(f"{projector.title} draws no people of its own; give latents of at least {LEAST}")
    source = torch.Generator().manual_seed(seed)
    with backbone.pool.lease(network_of(projector), "projector"), wrap_plugin_errors(projector.title):
        codes = projector.map(torch.randn(DRAWN, backbone.space.dim, generator=source), psi)
    return people_of(backbone, codes, count)


def people_of(backbone: Backbone, codes: Tensor, count: int) -> People:
    """The first `count` of those codes [m, L, D]; the others are for what is usual. Raises `UsageError`."""
    if len(codes) < LEAST:
        raise UsageError(f"{len(codes)} latents are too few to tell what is usual; give at least {LEAST}")
    pictures = _pictures(backbone, codes[: max(MEASURED, count)])
    values = measure(to_pictures(pictures))
    centred = values - values.nanmean(0)
    return People(codes[:count], pictures[:count], codes.std(0), centred.square().nanmean(0).sqrt())


def traverse(
    backbone: Backbone,
    people: People,
    elements: Sequence[Element],
    reach: float = 3.0,
    controls: int = 8,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> list[Traversal]:
    """What each element does to those people, from −reach to +reach of its standard deviations.

    controls: random elements of each layer that are looked at beside it. progress: told what comes next. Raises
    `UsageError` for an element that is the same in everyone.
    """
    for element in elements:
        if not people.spread[element.layer, element.dimension] > 0:
            raise UsageError(f"element {element} is the same in everyone: {backbone.name} does not use it")
    tell = progress or (lambda _: None)
    beside: dict[int, list[Effect]] = {}
    masks = torch.stack([region_masks(picture) for picture in to_pictures(people.pictures)])
    found = []
    for element in elements:
        if element.layer not in beside:
            tell(f"{controls} random elements of layer {element.layer}")
            drawn = _random_elements(people, element.layer, controls, seed)
            beside[element.layer] = [_effect(backbone, people, one, reach, masks)[0] for one in drawn]
        tell(f"element {element}")
        effect, ends, where = _effect(backbone, people, element, reach, masks)
        found.append(Traversal(effect, ends, where, beside[element.layer]))
    return found


def _random_elements(people: People, layer: int, count: int, seed: int) -> list[Element]:
    used = (people.spread[layer] > 0).nonzero()[:, 0]
    order = torch.randperm(len(used), generator=torch.Generator().manual_seed(seed))[:count]
    return [Element(layer, int(dimension)) for dimension in used[order]]


def _effect(
    backbone: Backbone, people: People, element: Element, reach: float, masks: Tensor
) -> tuple[Effect, Tensor, Tensor]:
    """The effect; the ends, [n, 2, 3, S, S]; where they differ, [S, S]. masks: of each person, [n, R, S, S]."""
    count = len(people.codes)
    step = reach * people.spread[element.layer, element.dimension]
    codes = people.codes[:, None].repeat(1, 2, 1, 1)
    codes[:, :, element.layer, element.dimension] += step * torch.tensor([-1.0, 1.0])
    drawn = _pictures(backbone, codes.flatten(0, 1))
    ends = drawn.unflatten(0, (count, 2))
    where = difference(ends) / (2 * reach)
    inside = (where[:, None] * masks).sum((2, 3)) / masks.sum((2, 3))
    values = measure(to_pictures(drawn)).unflatten(0, (count, 2))
    moved = (values[:, 1] - values[:, 0]) / (2 * reach) / people.attributes
    names = [str(number) for number in range(count)]
    told = {name: over_families(moved[:, at], names) for at, name in enumerate(NAMES)}
    effect = Effect(
        element,
        float(where.mean()),
        {region: float(inside[:, at].nanmean()) for at, region in enumerate(REGIONS)},
        {name: one for name, one in told.items() if one is not None},
    )
    return effect, ends, where.mean(0)


def difference(ends: Tensor) -> Tensor:
    """Mean absolute difference of two pictures [n, 2, 3, S, S] in [−1, 1] in grey levels of 255: [n, S, S]."""
    return (ends[:, 1] - ends[:, 0]).abs().mean(1) * 127.5


@torch.inference_mode()
def _pictures(backbone: Backbone, codes: Tensor) -> Tensor:
    """float32 [n, 3, S, S] in [−1, 1]: as large as `SIDE`, or as the generator makes them."""
    projector = backbone.projector
    with backbone.pool.lease(network_of(projector), "projector"), wrap_plugin_errors(projector.title):
        found = []
        for some in torch.split(codes, projector.together):
            check_cancelled()
            found.append(projector.synthesize(some, size=SIDE).clamp(-1, 1))
        return torch.cat(found)
