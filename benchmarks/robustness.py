"""Photographs as people take them: is a child made, or a reason given? And is it still the same person's code?

    python benchmarks/robustness.py
    python benchmarks/robustness.py faces [--pictures 200] [--seed 0] [--show FOLDER]

On nine synthetic people of the package `openpeople`: studio portrait and selfie, as they are and tilted, half lit,
small and heavily compressed. `faces` turns them by any angle, cuts them at the edge and covers them, and looks
whether each is put right, refused or warned of: none may give a wrong face without a word. It ends with 1 where one
does.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import occluders
import torch
from numpy.typing import NDArray
from PIL import Image

from kinblend import Engine, Latent
from kinblend.cli.demo import example
from kinblend.errors import FaceError, InputError
from kinblend.faces import align, cut_face, faces_in, find_face
from kinblend.identity import embed_faces
from kinblend.imaging import decode_image, read_image

PEOPLE = [f"P{number:03d}" for number in range(1, 11) if number != 3]
PICTURES = ("studio_portrait.jpg", "amateur_selfie.jpg")


def tilted(degrees: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor="grey")


def half_lit(picture: Image.Image) -> Image.Image:
    light = np.linspace(0.15, 1, picture.width)[None, :, None]
    return Image.fromarray((np.asarray(picture) * light).astype(np.uint8))


def small(picture: Image.Image) -> Image.Image:
    return picture.resize((200, round(200 * picture.height / picture.width)))


def compressed(picture: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=30)
    return decode_image(file.getvalue())


KINDS = {
    "as it is": lambda picture: picture,
    "tilted +30": tilted(30),
    "tilted -30": tilted(-30),
    "half lit": half_lit,
    "200 px": small,
    "quality 30": compressed,
}


def children() -> None:
    engine, report = Engine(), {}
    for kind, change in KINDS.items():
        made, refused, broken = 0, [], 0
        for picture in PICTURES:
            for person, partner in zip(PEOPLE, PEOPLE[1:] + PEOPLE[:1], strict=True):
                pair = [change(read_image(example(who).with_name(picture))) for who in (person, partner)]
                try:
                    result = engine.run(*pair)
                except InputError as error:
                    refused.append(type(error).__name__)
                    continue
                made += 1
                broken += len(faces_in(result.children[0].image)) != 1
        report[kind] = {"children": made, "of them not one face": broken, "refused": refused}
    report["selfie nearest to one's own portrait"] = own_portrait(engine)
    print(json.dumps(report, indent=1))


def own_portrait(engine: Engine) -> dict[str, float]:
    """How often codes of selfie and portrait are nearer to each other than to anyone else's: by their angle, by the
    embeddings of their pictures (the codes alone), and by these once expression, pose and light are neutral."""
    editor, codes, seen, calmed = engine.editor(), [], [], []
    for name in PICTURES:
        latents = [engine.parent(example(person).with_name(name)).latent for person in PEOPLE]
        codes.append(torch.nn.functional.normalize(torch.stack([x.code.flatten() for x in latents]), dim=1))
        seen.append(embed_faces(engine.backbone.render([Latent(x.code, x.space) for x in latents])))
        neutral = [Latent(engine.neutral(x, editor).code, x.space) for x in latents]
        calmed.append(embed_faces(engine.backbone.render(neutral)))
    return {
        what: nearest(*found)
        for what, found in (("codes", codes), ("rendered codes", seen), ("rendered codes, neutral", calmed))
    }


def nearest(ones: torch.Tensor, others: torch.Tensor) -> float:
    """Both ways."""
    distances, own = torch.cdist(ones, others), torch.arange(len(ones))
    return float((torch.cat([distances.argmin(1), distances.argmin(0)]) == own.repeat(2)).float().mean())


SAME = 0.25  # distance of two embeddings of one photograph; those of two people are 0.6 and more apart
SIDE, LONGEST = 256, 900


def hard_faces(pictures: int, seed: int, show: Path | None) -> int:
    """How many of so many photographs, each turned, cut or covered, gave a wrong face without a word."""
    random, report, wrong = np.random.default_rng(seed), Counter[str](), []
    for number in range(pictures):
        person, name = PEOPLE[number % len(PEOPLE)], PICTURES[number // len(PEOPLE) % 2]
        whole = read_image(example(person).with_name(name))
        whole.thumbnail((LONGEST, LONGEST))
        landmarks = find_face(whole).landmarks
        kind = ("turned", "cut", "covered")[number % 3]
        picture, said = HARD[kind](whole, landmarks, random)
        outcome, crop = look(picture, align(whole, landmarks, SIDE))
        report[f"{kind}: {outcome}"] += 1
        if outcome == "another face" or (outcome == "the same face" and kind == "covered"):
            wrong.append(f"{person} {name} {said}")
        if show is not None and crop is not None:
            show.mkdir(parents=True, exist_ok=True)
            crop.save(show / f"{number:03d}-{kind}-{outcome.replace(' ', '_')[:20]}.jpg")
    print(json.dumps({**dict(sorted(report.items())), "wrong without a word": wrong}, indent=1))
    return len(wrong)


def look(picture: Image.Image, expected: Image.Image) -> tuple[str, Image.Image | None]:
    """What becomes of a picture, and the face that is cut out. expected: the face before anything was done to it."""
    try:
        found = cut_face(picture, SIDE)
    except FaceError as error:
        return f"refused, {type(error).__name__}", None
    if found.quality.warnings:
        return "warned of", found.face.image
    one, other = embed_faces([found.face.image, expected])
    return "the same face" if float((one - other).norm()) < SAME else "another face", found.face.image


def turned_by_any_angle(
    picture: Image.Image, landmarks: NDArray[np.float64], random: np.random.Generator
) -> tuple[Image.Image, str]:
    degrees = float(random.uniform(15, 345))
    fill = str(random.choice(["grey", "black", "white"]))
    turned = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill)
    return turned, f"turned {degrees:.0f}°"


def cut_by_the_edge(
    picture: Image.Image, landmarks: NDArray[np.float64], random: np.random.Generator
) -> tuple[Image.Image, str]:
    """So that a share of the face, 5 to 60 %, lies beyond one edge."""
    (left, top), (right, bottom) = landmarks.min(0), landmarks.max(0)
    share, side = float(random.uniform(0.05, 0.6)), int(random.integers(4))
    box = [0, 0, picture.width, picture.height]
    box[side] = int(
        (left + share * (right - left), top + share * (bottom - top))[side]
        if side < 2
        else (right - share * (right - left), bottom - share * (bottom - top))[side - 2]
    )
    return picture.crop(
        (box[0], box[1], box[2], box[3])
    ), f"cut {share:.0%} at {['left', 'top', 'right', 'bottom'][side]}"


def covered_by_something(
    picture: Image.Image, landmarks: NDArray[np.float64], random: np.random.Generator
) -> tuple[Image.Image, str]:
    """By things that the network never saw, and those of which at least half of an eye, the nose or the mouth is."""
    from covered import share_hidden

    kinds = {**occluders.HELD_OUT, **occluders.TRAINED}
    while True:
        kind = str(random.choice(list(kinds)))
        painted, shape = kinds[kind](picture, landmarks, random)
        if share_hidden(shape, landmarks) >= 0.5:
            return painted, f"covered by {kind}"


HARD = {"turned": turned_by_any_angle, "cut": cut_by_the_edge, "covered": covered_by_something}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("children", "faces"), default="children")
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=Path, help="folder for the faces that were cut out")
    words = parser.parse_args()
    if words.what == "children":
        children()
    else:
        sys.exit(int(hard_faces(words.pictures, words.seed, words.show) > 0))


if __name__ == "__main__":
    main()
