"""What is made of a finished family: the strip that morphs, the weight map, sheet and bundle."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.imaging.decode import decode_image
from kinblend.imaging.encode import gif_bytes, jpeg_bytes, png_bytes
from kinblend.pipeline.morph import InBetween, rendered, renderer, way
from kinblend.web.engine_service import PREVIEW, EngineService
from kinblend.web.records import Family
from kinblend.web.schemas import LayerWeights

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.pipeline import Result

STEPS = 6  # from a parent to the child
FRAMES = 2 * STEPS + 1  # of a strip
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
    from PIL import Image as pil

    strip = pil.new("RGB", (len(frames) * PREVIEW, PREVIEW))
    render = renderer(engine_service.engine.backbone, family.order.seed, PREVIEW)
    for first in range(0, len(frames), BATCH):
        check()
        for place, picture in enumerate(rendered(frames[first : first + BATCH], render, PREVIEW), first):
            strip.paste(picture, (place * PREVIEW, 0))
    return jpeg_bytes(strip, quality=88)


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
    whole = decode_image(strip)
    frames = [whole.crop((place * PREVIEW, 0, (place + 1) * PREVIEW, PREVIEW)) for place in range(FRAMES)]
    return gif_bytes(
        frames + frames[-2:0:-1],
        [RESTING if place % STEPS == 0 else MOVING for place in range(2 * FRAMES - 2)],
    )


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
