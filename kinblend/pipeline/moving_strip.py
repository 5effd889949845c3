"""One person who grows older before one's eyes, or whose smile grows: a strip with the frames between its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from kinblend.cancellation import check_cancelled
from kinblend.errors import UsageError
from kinblend.imaging.sheet import sheet
from kinblend.pipeline.morph import BATCH, InBetween, Morph, rendered, renderer, stops, way
from kinblend.pipeline.strip import plan_strip, strip_record
from kinblend.types import Target

if TYPE_CHECKING:
    from kinblend.interfaces import Editor
    from kinblend.pipeline.engine import Engine
    from kinblend.pipeline.request import EditValue
    from kinblend.pipeline.result import Parent
    from kinblend.types import Latent

Frame = tuple[InBetween, str]  # with its caption


def make_moving_strip(
    engine: Engine,
    person: Parent,
    editor: Editor,
    attribute: str,
    values: Sequence[str | float],
    fixed: Mapping[str, str | float] | None = None,
    frames: int = 49,
    *,
    side: int | None = None,
    seed: int = 0,
    captions: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Morph:
    """Pictures on the way from the first value of an attribute to the last, through all between.

    Between two numbers of one unit each frame is an edit of its own: at 4 and 6 years there is a frame at 5. Between
    words, such as "female" and "male", and between a strength and a target the codes go in a straight line.

    person, editor, attribute, values, fixed: as `make_strip` takes them; two values or more.
    frames: pictures in all, those at the values among them; 2 to 300. side: of a picture, in pixels; None: the
        backbone's. seed: of random noise. captions: write the value below each picture, which makes it higher.
    progress: called with how many frames are done, and of how many.
    Raises `UsageError` before any work for values or frames that won't do.
    """
    wanted = plan_strip(editor, attribute, values, fixed)
    rests = plan_frames(frames, wanted)
    side = side or engine.backbone.projector.resolution
    others = dict(fixed or {})

    def edited(value: EditValue) -> Latent:
        return engine.edit(person.latent, editor, {**others, attribute: value})

    waiting, pictures = _frames(attribute, wanted, rests, edited), []
    with engine.pool:
        progress(0, frames)
        while chunk := list(islice(waiting, BATCH)):
            check_cancelled()
            shown = rendered([frame for frame, _ in chunk], renderer(engine.backbone, seed, side), side)
            for picture, (_, text) in zip(shown, chunk, strict=True):
                pictures.append(sheet([picture], side=side, captions=[text]) if captions else picture)
            progress(len(pictures), frames)
    record = strip_record(engine, person, editor, attribute, wanted, others)
    record |= {"frames": frames, "side": side, "seed": seed, "captions": captions}
    return Morph(pictures, rests, record)


def plan_frames(frames: int, values: Sequence[EditValue]) -> list[int]:
    """The places of the values among so many frames. Raises `UsageError`."""
    if len(values) < 2:
        raise UsageError("a moving picture leads from one value to another: name two at least")
    return stops(frames, len(values))


def _frames(
    attribute: str, values: Sequence[EditValue], rests: Sequence[int], edited: Callable[[EditValue], Latent]
) -> Iterator[Frame]:
    """All frames, in order."""
    for (here, there), (first, last) in zip(pairwise(values), pairwise(rests), strict=True):
        steps = last - first
        ends = _numbers(here, there)
        if ends is None:
            for frame in way(edited(here), edited(there), steps):
                yield frame, _caption(attribute, here if frame.share < 0.5 else there)
            continue
        for step in range(steps):
            number = ends[0] + (ends[1] - ends[0]) * step / steps
            value = replace(here, value=number) if isinstance(here, Target) else number
            yield _still(edited(value)), _caption(attribute, value)
    yield _still(edited(values[-1])), _caption(attribute, values[-1])


def _still(latent: Latent) -> InBetween:
    return InBetween(latent, latent, 0.0)


def _numbers(here: EditValue, there: EditValue) -> tuple[float, float] | None:
    """Both as numbers, where they are of one unit."""
    if isinstance(here, Target) and isinstance(there, Target):
        if here.unit != there.unit or isinstance(here.value, str) or isinstance(there.value, str):
            return None
        return here.value, there.value
    return None if isinstance(here, Target) or isinstance(there, Target) else (here, there)


def _caption(attribute: str, value: EditValue) -> str:
    """ "16 years", "female", "smile +0.5"."""
    if not isinstance(value, Target):
        return f"{attribute} {value:+.1f}"
    if isinstance(value.value, str):
        return value.value
    years = round(value.value)
    return f"{years} {value.unit.removesuffix('s') if years == 1 else value.unit}"
