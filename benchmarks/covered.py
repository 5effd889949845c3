"""The network that sees what covers a face: its pictures, its training, its figures.

    python benchmarks/covered.py make  FACES.zip FEATURES.npz [--samples 14000]
    python benchmarks/covered.py train FEATURES.npz kinblend/faces/covered.safetensors [--steps 2500]
    python benchmarks/covered.py measure PHOTOGRAPHS.zip

FACES.zip holds faces in FFHQ geometry and an index.csv with `file` and `split`. PHOTOGRAPHS.zip holds photographs of
faces on which nothing is covered: they are measured as they are, and with things painted over them.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import occluders
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch.nn import functional as F

from kinblend.errors import FaceError
from kinblend.faces import cut_face, predict_in_crop
from kinblend.faces.cover_network import CoverNetwork
from kinblend.faces.covered import CELL, CELLS, FIRST, features
from kinblend.identity import chips
from kinblend.imaging import decode_image, to_batch

SIDE, BATCH = 256, 16
# The points of a face in a mirror, in the order of the 68.
MIRRORED = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46]
MIRRORED += [39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
EVERY = 40  # photographs on which each occluder is measured

Array = NDArray[Any]


def pictures(archive: Path, split: str | None = None) -> Iterator[tuple[str, Image.Image]]:
    with zipfile.ZipFile(archive) as found:
        names = sorted(name for name in found.namelist() if name.endswith((".webp", ".jpg", ".png")))
        if split is not None:
            [index] = [name for name in found.namelist() if name.endswith("index.csv")]
            rows = csv.DictReader(io.TextIOWrapper(found.open(index)))
            wanted = {row["file"] for row in rows if row["split"] == split}
            names = [name for name in names if Path(name).name in wanted]
        for name in names:
            yield name, decode_image(found.read(name))


def make(words: argparse.Namespace) -> None:
    """Features and labels of faces with things painted over them."""
    faces = [picture.resize((SIDE, SIDE)) for _, picture in pictures(words.faces, "train")]
    points = [predict_in_crop(face) for face in faces]
    random = np.random.default_rng(words.seed)
    fine = np.zeros((words.samples, 134, CELLS, CELLS), np.float16)
    coarse = np.zeros((words.samples, 128, 8, 8), np.float16)
    labels = np.zeros((words.samples, 4, CELLS, CELLS), np.float16)
    for start in range(0, words.samples, BATCH):
        painted = []
        for place in range(start, min(start + BATCH, words.samples)):
            number = place % len(faces)
            picture, layers = sample(faces[number], points[number], random)
            painted.append(picture)
            labels[place] = cells(layers)
        with torch.inference_mode():
            found = features(chips(to_batch(painted)))
        fine[start : start + BATCH], coarse[start : start + BATCH] = (part.half().numpy() for part in found)
    np.savez(words.features, fine=fine, coarse=coarse, labels=labels)


def sample(picture: Image.Image, points: Array, random: np.random.Generator) -> tuple[Image.Image, list[Image.Image]]:
    """A face with something over it or nothing, slightly moved, in another light; and where it is covered, where lids
    are, where the tongue is, where the face is."""
    none = Image.new("L", picture.size)
    layers = {"covered": none, "lids": none, "tongue": none}
    if random.random() < 0.5:
        picture, points = (
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            points[MIRRORED] * [-1, 1] + [SIDE - 1, 0],
        )
    chance, kind = random.random(), ""
    if chance < 0.12:
        picture, layers["lids"] = occluders.closed_eyes(picture, points, random, both=random.random() < 0.8)
    elif chance < 0.24:
        picture, layers["tongue"] = occluders.tongue(picture, points, random)
    elif chance < 0.70:
        kind = str(random.choice(list(occluders.TRAINED)))
    if random.random() < 0.22 and kind != "sunglasses":
        picture = occluders.clear_glasses(picture, points, random)
    if kind:
        picture, layers["covered"] = occluders.TRAINED[kind](picture, points, random)
    moved = move([picture, *layers.values(), hull(points)], random)
    return photographed(moved[0], random), moved[1:]


def hull(points: Array) -> Image.Image:
    """Where the face is: jaw, brows and a strip above them."""
    shape = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(shape)
    above = points[17:27] - [0, 0.25 * occluders.eyes_apart(points)]
    occluders.polygon(draw, np.array([*points[:17], *above[::-1]]))
    return shape


def move(images: Sequence[Image.Image], random: np.random.Generator) -> list[Image.Image]:
    """As landmarks err: turned, shifted and scaled a little, all alike."""
    scale, angle = 1 + random.normal(0, 0.035), np.radians(random.normal(0, 3))
    x, y = random.normal(0, 0.018, 2) * SIDE
    cos, sin, half = np.cos(angle) / scale, np.sin(angle) / scale, SIDE / 2
    matrix = (cos, -sin, half - cos * half + sin * half + x, sin, cos, half - sin * half - cos * half + y)
    return [
        image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR) for image in images
    ]


def photographed(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """In another light, half lit, noisy, unsharp, compressed."""
    pixels = np.asarray(picture).astype(np.float32)
    pixels = 255 * (pixels / 255) ** np.exp(random.normal(0, 0.25)) * (1 + random.normal(0, 0.06, 3))
    if random.random() < 0.25:
        light = np.linspace(random.uniform(0.15, 1), 1, SIDE)[:: random.choice([-1, 1])]
        pixels = pixels * (light[None, :, None] if random.random() < 0.7 else light[:, None, None])
    pixels = pixels * random.uniform(0.6, 1.1) + random.normal(0, random.uniform(0, 5), pixels.shape)
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if random.random() < 0.35:
        side = int(random.uniform(60, 200))
        picture = picture.resize((side, side), Image.Resampling.LANCZOS).resize(
            (SIDE, SIDE), Image.Resampling.BICUBIC
        )
    if random.random() < 0.3:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(random.uniform(25, 80)))
        picture = decode_image(file.getvalue())
    return picture


def cells(layers: Sequence[Image.Image]) -> Array:
    """Masks of a crop → the share of each of 17 × 17 places that they cover."""
    stacked = torch.from_numpy(np.stack([np.asarray(layer) for layer in layers])).float()[None] / 127.5 - 1
    inside = slice(FIRST, FIRST + CELLS * CELL)
    shares: Array = F.avg_pool2d((chips(stacked)[..., inside, inside] + 1) / 2, CELL)[0].numpy()
    return shares


def train(words: argparse.Namespace) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    found = np.load(words.features)
    fine, coarse, labels = (found[name] for name in ("fine", "coarse", "labels"))
    network, random = CoverNetwork(), np.random.default_rng(1)
    some = random.choice(len(fine), min(2000, len(fine)), replace=False)
    for name, values in (("fine", fine), ("coarse", coarse)):
        part = torch.from_numpy(values[some]).float()
        getattr(network, f"{name}_mean").copy_(part.mean((0, 2, 3))[:, None, None])
        getattr(network, f"{name}_scale").copy_(part.std((0, 2, 3))[:, None, None] + 1e-3)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=words.steps)
    for _ in range(words.steps):
        batch = np.sort(random.choice(len(fine), 64, replace=False))
        inputs = (torch.from_numpy(values[batch]).float() for values in (fine, coarse))
        wanted = torch.from_numpy(labels[batch]).float()
        inside = (wanted[:, 3:] > 0.5).float()  # what lies beside the face is nobody's business
        losses = F.binary_cross_entropy_with_logits(network(*inputs), wanted[:, :3], reduction="none")
        optimizer.zero_grad()
        (losses * inside).sum((1, 2, 3)).mean().backward()
        optimizer.step()
        schedule.step()
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, words.weights)


def measure(words: argparse.Namespace) -> None:
    """False warnings on photographs as they are; what is seen of things painted over them."""
    faces = dict(pictures(words.photographs))
    random, report = np.random.default_rng(0), {}
    warned = {name: seen(face) for name, face in faces.items()}
    report["as they are"] = {name: said for name, said in warned.items() if said}
    report["as they are, of"] = len(faces)
    kinds = {**occluders.TRAINED, **{f"{name} (held out)": make for name, make in occluders.HELD_OUT.items()}}
    kinds |= {"closed eyes": occluders.closed_eyes, "tongue": occluders.tongue}
    for kind, paint in kinds.items():
        chosen = random.choice(list(faces), min(EVERY, len(faces)), replace=False)
        found, counted = 0, 0
        for name in chosen:
            points = predict_in_crop(faces[name])
            picture, shape = paint(faces[name], points, random)
            hidden = share_hidden(shape, points)
            if kind in occluders.TRAINED and hidden < 0.5:
                continue  # it fell beside the face, or covers too little of any part
            counted += 1
            found += bool(seen(picture))
        report[kind] = f"{found} of {counted}"
    print(json.dumps(report, indent=1))


def share_hidden(shape: Image.Image, points: Array) -> float:
    """The largest share of an eye, the nose or the mouth that a mask covers."""
    shares = []
    for where in (slice(36, 42), slice(42, 48), slice(29, 36), slice(48, 60)):
        low, high = points[where].min(0), points[where].max(0) + 1
        part = np.asarray(shape.crop((*map(int, low), *map(int, high))))
        shares.append(float(part.mean()) / 255 if part.size else 0.0)
    return max(shares)


def seen(picture: Image.Image) -> list[str]:
    """What is said of a covered face, closed eyes or a tongue; that no face was found is said, too."""
    try:
        quality = cut_face(picture, SIDE).quality
    except FaceError as error:
        return [type(error).__name__]
    said = [*quality.covered]
    return said + ["eyes closed"] * (quality.eyes_closed >= 0.5) + ["tongue"] * (quality.tongue_out >= 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    step = steps.add_parser("make")
    step.add_argument("faces", type=Path)
    step.add_argument("features", type=Path)
    step.add_argument("--samples", type=int, default=14_000)
    step.add_argument("--seed", type=int, default=1)
    step.set_defaults(run=make)
    step = steps.add_parser("train")
    step.add_argument("features", type=Path)
    step.add_argument("weights", type=Path)
    step.add_argument("--steps", type=int, default=2500)
    step.set_defaults(run=train)
    step = steps.add_parser("measure")
    step.add_argument("photographs", type=Path)
    step.set_defaults(run=measure)
    words = parser.parse_args()
    words.run(words)


if __name__ == "__main__":
    main()
