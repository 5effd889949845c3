"""How good is a backbone? Reconstructions, children and edits of people it never saw, measured.

    python benchmarks/backbone.py FACES.zip [--backbone NAME] [--people N] [--pairs N] [--json FILE]

FACES.zip holds FFHQ-aligned pictures of different people. Distances are between dlib's embeddings: under 0.6 two
pictures count as one person.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import torch
from PIL import Image
from torch import Tensor

from kinblend import Backbone, Engine, Latent
from kinblend.faces.detect import detect
from kinblend.identity import embed_faces
from kinblend.imaging import to_batch

STRATEGIES = ("average", "dimension", "layer", "mask", "slerp")
FACE = (0.3, 0.35, 0.7, 0.85)  # the inside of a face in an FFHQ crop: left, top, right, bottom
SIZE = 256  # side of the pictures that are compared, in pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--backbone", default="morphable")
    parser.add_argument("--people", type=int, default=10**6)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    engine = Engine(words.backbone)
    faces = read_faces(words.faces)[: words.people]
    latents = [latent for face in faces for latent in engine.backbone.encode([face])]
    photographs = embed_faces(faces)
    report = {
        "people": len(faces),
        "code alone": reconstruction(engine.backbone, faces, photographs, [Latent(x.code, x.space) for x in latents]),
        "with detail": reconstruction(engine.backbone, faces, photographs, latents),
    }
    pairs = couples(len(faces), words.pairs)
    report["children"] = {name: children(engine, latents, photographs, pairs, name) for name in STRATEGIES}
    report["siblings by mask"] = siblings(engine, latents, pairs)
    report["edits"] = edits(engine, latents, pairs)
    report["seconds"] = speed(engine, latents)
    print(json.dumps(report, indent=1))
    if words.json:
        words.json.write_text(json.dumps(report, indent=1) + "\n")


def read_faces(path: Path) -> list[Image.Image]:
    with ZipFile(path) as archive:
        names = sorted(n for n in archive.namelist() if n.lower().endswith((".webp", ".png", ".jpg")))
        return [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]


def reconstruction(
    backbone: Backbone, faces: list[Image.Image], photographs: Tensor, latents: list[Latent]
) -> dict[str, float]:
    pictures = [picture for latent in latents for picture in backbone.render([latent])]
    distances = torch.cdist(embed_faces(pictures), photographs)
    own = distances.diagonal()
    errors = [psnr(face, picture) for face, picture in zip(faces, pictures, strict=True)]
    return {
        "distance, median": rounded(own.median()),
        "distance <= 0.6": rounded((own <= 0.6).float().mean()),
        "right person nearest": rounded((distances.argmin(1) == torch.arange(len(own))).float().mean()),
        "PSNR inside the face, median dB": rounded(statistics.median(errors)),
        "PSNR inside the face, lowest dB": rounded(min(errors)),
    }


def children(
    engine: Engine, latents: list[Latent], photographs: Tensor, pairs: list[tuple[int, int]], name: str
) -> dict[str, float]:
    options = {"layer": {"shares": {"0": 1.0}, "default": 0.0}, "dimension": {"shares": {}, "default": 0.35}}.get(
        name
    )
    strategy = engine.blender(name, options)
    pictures = [
        engine.backbone.render([engine.blend(latents[f], latents[m], strategy, seed).latent])[0]
        for seed, (f, m) in enumerate(pairs)
    ]
    distances = torch.cdist(embed_faces(pictures), photographs)
    strangers = distances.median(1).values
    to_father = torch.stack([distances[i, f] for i, (f, _) in enumerate(pairs)])
    to_mother = torch.stack([distances[i, m] for i, (_, m) in enumerate(pairs)])
    return {
        "one face found": rounded(share(len(detect(picture)) == 1 for picture in pictures)),
        "nearer to both parents than the median stranger": rounded(
            (torch.maximum(to_father, to_mother) < strangers).float().mean()
        ),
        "distance to the father, median": rounded(to_father.median()),
        "distance to the mother, median": rounded(to_mother.median()),
        "distance to strangers, median": rounded(strangers.median()),
    }


def siblings(engine: Engine, latents: list[Latent], pairs: list[tuple[int, int]]) -> dict[str, float]:
    strategy = engine.blender("mask")
    distances = []
    for f, m in pairs:
        born = [engine.blend(latents[f], latents[m], strategy, seed).latent for seed in (0, 1)]
        first, second = embed_faces([engine.backbone.render([child])[0] for child in born])
        distances.append(float((first - second).norm()))
    return {
        "distance, median": rounded(statistics.median(distances)),
        ">= 0.25": rounded(share(d >= 0.25 for d in distances)),
    }


def edits(engine: Engine, latents: list[Latent], pairs: list[tuple[int, int]]) -> dict[str, dict[str, float]]:
    """Edited children of `average`: is a face still found, and is it still the same person?"""
    editor, strategy = engine.editor(), engine.blender()
    born = [engine.blend(latents[f], latents[m], strategy).latent for f, m in pairs]
    before = embed_faces([engine.backbone.render([child])[0] for child in born])
    report = {}
    for attribute in editor.attributes():
        for strength in (-3.0, -2.0, 2.0, 3.0):
            moved = [engine.edit(child, editor, {attribute: strength}) for child in born]
            pictures = [engine.backbone.render([child])[0] for child in moved]
            kept = (embed_faces(pictures) - before).norm(dim=1)
            report[f"{attribute} {strength:+g}"] = {
                "one face found": rounded(share(len(detect(picture)) == 1 for picture in pictures)),
                "distance <= 0.6": rounded((kept <= 0.6).float().mean()),
                "distance, median": rounded(kept.median()),
            }
    return report


def speed(engine: Engine, latents: list[Latent]) -> dict[str, float]:
    """Medians of seven, after one to warm up."""
    father, mother, strategy = latents[0], latents[1], engine.blender()

    def once() -> None:
        engine.backbone.render([engine.blend(father, mother, strategy).latent])

    many = [engine.blend(father, mother, strategy, seed).latent for seed in range(32)]
    return {
        "blend and render": median_seconds(once),
        "render of 32, each": median_seconds(lambda: engine.backbone.render(many), 3) / 32,
    }


def median_seconds(work: object, times: int = 7) -> float:
    assert callable(work)
    work()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return rounded(statistics.median(seconds))


def couples(people: int, count: int) -> list[tuple[int, int]]:
    """Random couples, the same ones every time."""
    numbers = random.Random(0)
    return [tuple(numbers.sample(range(people), 2)) for _ in range(count)]  # type: ignore[misc]


def psnr(one: Image.Image, other: Image.Image) -> float:
    left, top, right, bottom = (round(place * SIZE) for place in FACE)
    a, b = (to_batch([picture], SIZE)[:, :, top:bottom, left:right] / 2 for picture in (one, other))
    return float(-10 * torch.log10((a - b).square().mean().clamp_min(1e-12)))


def share(outcomes: Iterable[bool]) -> float:
    values = list(outcomes)
    return sum(values) / len(values)


def rounded(value: float | Tensor) -> float:
    return round(float(value), 4)


if __name__ == "__main__":
    main()
