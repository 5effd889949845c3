"""From one person to another through latents: straight lines between codes (in W+ for StyleGAN2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kinblend.cancellation import check_cancelled
from kinblend.errors import UsageError
from kinblend.pipeline.manifest import versions
from kinblend.pipeline.result import HasLatent, Parent, latent_of
from kinblend.types import Latent

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.backbone import Backbone
    from kinblend.pipeline.engine import Engine

BATCH = 4  # pictures rendered at a time
FEWEST, MOST = 2, 300  # frames

Renderer = Callable[[Sequence[Latent]], list["Image"]]


@dataclass(frozen=True)
class InBetween:
    """A frame: the codes between two people, once with the detail of each, and how much of the second's to show.

    Detail belongs to the backbone: no one else can mix it but by mixing what it looks like.
    """

    first: Latent
    second: Latent
    share: float

    @property
    def latents(self) -> list[Latent]:
        """Those to be rendered: one where nothing is to be mixed."""
        mixed = 0 < self.share < 1 and bool(self.first.detail or self.second.detail)
        return [self.first, self.second] if mixed else [self.second if self.share == 1 else self.first]


@dataclass(frozen=True)
class Morph:
    """frames: RGB pictures of one size, from the first person to the last. rests: the places of the people among
    them. record: how they were made, as JSON has it."""

    frames: Sequence[Image]
    rests: Sequence[int]
    record: dict[str, Any]

    def played(self, moving: int, resting: int, *, back: bool = True) -> tuple[list[Image], list[int]]:
        """The frames as they are shown, and for how many milliseconds each.

        moving, resting: of a frame between people, of a person. back: also the way back, for what plays for ever.
        """
        order = list(range(len(self.frames)))
        order += order[-2:0:-1] if back else []
        return [self.frames[place] for place in order], [resting if one in self.rests else moving for one in order]


def make_morph(
    engine: Engine,
    people: Sequence[HasLatent],
    frames: int = 25,
    *,
    side: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Morph:
    """Pictures on the way from the first person to the last, through all between.

    people: latents, or parents and children, whose latents are meant; two or more. frames: pictures in all, those of
        the people among them; 2 to 300. side: of a picture, in pixels; None: the backbone's. seed: of random noise.
    progress: called with how many frames are done, and of how many.
    Raises `UsageError`, and `LatentSpaceError` for latents of another backbone.
    """
    latents = [latent_of(one) for one in people]
    rests = stops(frames, len(latents))
    side = side or engine.backbone.projector.resolution
    between = [
        one
        for (here, there), (first, last) in zip(pairwise(latents), pairwise(rests), strict=True)
        for one in way(here, there, last - first)
    ]
    between.append(InBetween(latents[-1], latents[-1], 0.0))
    made: list[Image] = []
    with engine.pool:
        progress(0, frames)
        for start in range(0, frames, BATCH):
            check_cancelled()
            made += rendered(between[start : start + BATCH], renderer(engine.backbone, seed, side), side)
            progress(len(made), frames)
    record = {
        "versions": versions(),
        "backbone": engine.backbone.name,
        "latent_space": engine.backbone.space.sha256,
        "inputs": [dict(one.source) if isinstance(one, Parent) else {} for one in people],
        "frames": frames,
        "side": side,
        "seed": seed,
    }
    return Morph(made, rests, record)


def stops(frames: int, people: int) -> list[int]:
    """The places of so many people among so many frames, evenly. Raises `UsageError` for too few of either."""
    if people < 2:
        raise UsageError("a morph leads from one person to another: name two at least")
    if not max(FEWEST, people) <= frames <= MOST:
        raise UsageError(f"{frames} frames: use {max(FEWEST, people)} to {MOST}")
    return [round(number * (frames - 1) / (people - 1)) for number in range(people)]


def way(first: Latent, second: Latent, steps: int) -> Iterator[InBetween]:
    """The frames from one person towards another, in so many steps; the other is not among them."""
    for step in range(steps):
        share = step / steps
        code = first.code + (second.code - first.code) * share
        yield InBetween(replace(first, code=code), replace(second, code=code), share)


def renderer(backbone: Backbone, seed: int, side: int) -> Renderer:
    """Draws latents at a size that is enough for `side` pixels."""
    return lambda latents: backbone.render(latents, seed=seed, size=side)


def rendered(frames: Sequence[InBetween], render: Renderer, side: int) -> list[Image]:
    """The pictures of frames, RGB, `side` pixels square."""
    from PIL import Image as pil

    pictures = iter(render([latent for frame in frames for latent in frame.latents]))
    found = []
    for frame in frames:
        made = [next(pictures) for _ in frame.latents]
        picture = made[0] if len(made) == 1 else pil.blend(made[0], made[1], frame.share)
        found.append(picture.resize((side, side)))
    return found
