"""What is made of a finished family: the strip that morphs, the weight map, sheet and bundle."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.imaging.decode import decode_image
from kinblend.imaging.encode import gif_bytes, jpeg_bytes, png_bytes
from kinblend.web.engine_service import PREVIEW, EngineService
from kinblend.web.records import Family
from kinblend.web.schemas import LayerWeights

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.backbone import Backbone
    from kinblend.pipeline import Result
    from kinblend.types import Latent

STEPS = 6  # from a parent to the child
FRAMES = 2 * STEPS + 1  # of a strip
RESTING, MOVING = 800, 120  # ms that a frame of an animation is shown: at its three ends, and between them
BATCH = 4  # pictures rendered between two looks whether anyone still waits


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
    there = list(_between(father, child))
    latents = [*there, (child, child, 0.0), *reversed(list(_between(mother, child)))]
    return _strip(engine_service, family, latents, check)


def _between(parent: Latent, child: Latent) -> Iterator[tuple[Latent, Latent, float]]:
    """The codes from a parent towards the child, each with either's detail, and how much of the child's to show.

    Detail belongs to the backbone: no one else can mix it but by mixing what it looks like.
    """
    for step in range(STEPS):
        share = step / STEPS
        code = parent.code + (child.code - parent.code) * share
        yield replace(parent, code=code), replace(child, code=code), share


def _strip(
    engine_service: EngineService,
    family: Family,
    frames: Sequence[tuple[Latent, Latent, float]],
    check: Callable[[], None],
) -> bytes:
    from PIL import Image as pil

    needed = [latent for ours, theirs, share in frames for latent in _latents_needed(ours, theirs, share)]
    backbone = engine_service.engine.backbone
    pictures = iter(_rendered(needed, backbone, family.order.seed, check))
    strip = pil.new("RGB", (len(frames) * PREVIEW, PREVIEW))
    for place, (ours, theirs, share) in enumerate(frames):
        made = [next(pictures) for _ in _latents_needed(ours, theirs, share)]
        picture = made[0] if len(made) == 1 else pil.blend(made[0], made[1], share)
        strip.paste(picture.resize((PREVIEW, PREVIEW)), (place * PREVIEW, 0))
    return jpeg_bytes(strip, quality=88)


def _rendered(latents: Sequence[Latent], backbone: Backbone, seed: int, check: Callable[[], None]) -> list[Image]:
    pictures: list[Image] = []
    for first in range(0, len(latents), BATCH):
        check()
        pictures += backbone.render(latents[first : first + BATCH], seed=seed, size=PREVIEW)
    return pictures


def _latents_needed(ours: Latent, theirs: Latent, share: float) -> list[Latent]:
    """Where nothing is to be mixed, one picture will do."""
    mixed = 0 < share < 1 and bool(ours.detail or theirs.detail)
    return [ours, theirs] if mixed else [ours]


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
