"""What is made of a finished family: the strip that morphs, the weight map, sheet and bundle."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.imaging.decode import decode_image
from kinblend.imaging.encode import gif_bytes, jpeg_bytes, png_bytes
from kinblend.imaging.printing import pdf_bytes
from kinblend.pipeline.card import DPI, Card, draw_card
from kinblend.pipeline.morph import InBetween, rendered, renderer, way
from kinblend.pipeline.result import describe_children
from kinblend.web.engine_service import PREVIEW, EngineService
from kinblend.web.records import Family
from kinblend.web.schemas import LayerWeights

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.pipeline import Result

STEPS = 6  # from a parent to the child
FRAMES = 2 * STEPS + 1  # of a strip
AGES = (4, 12, 20, 40, 60)  # years, of the strip of ages
BETWEEN = 4  # frames from one age to the next
RESTING, MOVING = 800, 120  # ms that a frame of an animation is shown: at its three ends, and between them
BATCH = 4  # frames between two looks whether anyone still waits


def morph(
    engine_service: EngineService, family: Family, number: int, check: Callable[[], None] = lambda: None
) -> bytes:
    """Father → child → mother as one JPEG strip of FRAMES pictures side by side.

    check: called between batches; it may raise to end the work.
    """
    assert family.result is not None
    request, child = family.order, family.result.children[number - 1].latent
    people = [
        engine_service.neutral_parent(who) if request.neutral else who.parent
        for who in (family.father, family.mother)
    ]
    father, mother = (parent.latent for parent in people if parent)
    frames = [
        *way(father, child, STEPS),
        InBetween(child, child, 0.0),
        *reversed(list(way(mother, child, STEPS))),
    ]
    return _strip(engine_service, family, frames, check)


def _strip(
    engine_service: EngineService, family: Family, frames: Sequence[InBetween], check: Callable[[], None]
) -> bytes:
    render, found = renderer(engine_service.engine.backbone, family.order.seed, PREVIEW), []
    for first in range(0, len(frames), BATCH):
        check()
        found += rendered(frames[first : first + BATCH], render, PREVIEW)
    return _beside(found)


def ages(
    engine_service: EngineService, family: Family, number: int, check: Callable[[], None] = lambda: None
) -> bytes:
    """The child at each of AGES, as one JPEG strip of pictures side by side. check: as `morph` takes it."""
    return _beside(engine_service.at_ages(family, number, AGES, check))


def _beside(pictures: Sequence[Image]) -> bytes:
    from PIL import Image as pil

    strip = pil.new("RGB", (len(pictures) * PREVIEW, PREVIEW))
    for place, picture in enumerate(pictures):
        strip.paste(picture, (place * PREVIEW, 0))
    return jpeg_bytes(strip, quality=88)


def _apart(strip: bytes) -> list[Image]:
    whole = decode_image(strip)
    return [whole.crop((left, 0, left + PREVIEW, PREVIEW)) for left in range(0, whole.width, PREVIEW)]


def weights(engine_service: EngineService, family: Family, number: int) -> list[LayerWeights]:
    """How a child was made: the father's share in every dimension that either parent's code uses."""
    assert family.result is not None
    child = family.result.children[number - 1]
    if child.weight_map is None:
        return []
    part_of = {
        layer: name for name, (first, last) in engine_service.layer_groups.items() for layer in range(first, last + 1)
    }
    used = (family.result.father.latent.code != 0) | (family.result.mother.latent.code != 0)
    found = []
    for layer, values in enumerate(child.weight_map.values):
        length = int(used[layer].nonzero().max()) + 1 if bool(used[layer].any()) else len(values)
        row = values[:length]
        levels = (row * 255).round().int().tolist()
        part = part_of.get(layer, "")
        found.append(LayerWeights(layer=layer, part=part, share=round(float(row.mean()), 4), values=levels))
    return found


def animation(strip: bytes) -> bytes:
    """A strip that `morph` made as a GIF: from the father over the child to the mother, and back."""
    frames = _apart(strip)
    return gif_bytes(
        frames + frames[-2:0:-1],
        [RESTING if place % STEPS == 0 else MOVING for place in range(2 * FRAMES - 2)],
    )


def ages_animation(strip: bytes) -> bytes:
    """A strip that `ages` made as a GIF, with pictures between two ages, from the youngest to the oldest and back."""
    from PIL import Image as pil

    found = _apart(strip)
    frames = [
        pil.blend(one, other, step / BETWEEN) for one, other in pairwise(found) for step in range(BETWEEN)
    ] + found[-1:]
    times = [RESTING if place % BETWEEN == 0 else MOVING // 2 for place in range(len(frames))]
    return gif_bytes(frames + frames[-2:0:-1], times + times[-2:0:-1])


def card(results: Sequence[Result], names: Sequence[str], title: str) -> bytes:
    """Parents and all of their children on a card of 10 × 15 cm to print, as a PDF. results: of the same parents.

    names: of the children; empty: their ages. Raises `UsageError` for too many children and letters no font has.
    """
    whole = _joined(results)
    captions = ["Father", "Mother", *(names or describe_children(whole.manifest["asked"]))]
    drawn = draw_card(
        Card([whole.father.crop, whole.mother.crop], [child.image for child in whole.children], captions, title)
    )
    return pdf_bytes(drawn, DPI)


def sheet(results: Sequence[Result]) -> bytes:
    """Parents and all of their children as one PNG. results: of the same parents."""
    return png_bytes(_joined(results).sheet())


def _joined(results: Sequence[Result]) -> Result:
    """Children of several runs as those of one; what the manifest lists child by child goes along."""
    first = results[0]
    manifest = first.manifest | {
        name: [one for result in results for one in result.manifest[name]]
        for name, values in first.manifest.items()
        if isinstance(values, list) and len(values) == len(first.children)
    }
    return replace(first, children=[child for result in results for child in result.children], manifest=manifest)


def bundle(result: Result) -> bytes:
    """Everything a run writes, zipped: pictures, latents with weight maps, the manifest and the sheet."""
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="kinblend-") as folder, zipfile.ZipFile(packed, "w") as archive:
        for path in result.save(Path(folder), with_sheet=True):
            # Latents and pictures hardly shrink; a fixed date keeps the same content the same bytes.
            archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
    return packed.getvalue()


def png(picture: Image) -> bytes:
    """A child's picture as the PNG that `kinblend run` writes."""
    return png_bytes(picture)
