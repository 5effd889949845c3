"""Where identity is lost between photographs of parents and a picture of their child.

    python benchmarks/identity_loss.py TRIOS.csv [--families 100] [--seed 0]

One trio of each family, of the test part where the list names parts. AUC: is the true child nearer than another
family's child of the same sex, by dlib's embeddings? `photograph` cuts dlib's chips from the picture itself,
`aligned` from the aligned crop, `held out` from the crop of the picture with its edges continued to all sides, which
is what `kinblend families encode` uses. Then the picture: each parent rendered with all detail, and from the code
alone, and the mean of both embeddings; and the parents' child by `average` and by `likeness` rendered both ways.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import dlib
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from kinblend import Engine, Latent
from kinblend.errors import InputError
from kinblend.evaluation.bootstrap import over_families
from kinblend.evaluation.retrieval import scores
from kinblend.faces import find_face
from kinblend.families.encode import MIN_SIDE, pad_edges
from kinblend.families.trio_list import TrioFiles, read_trio_list
from kinblend.identity import embed_faces, identity_network
from kinblend.imaging import read_image, to_batch

CHIP, PADDING = 150, 0.25  # px, dlib's own padding
ROLES, WAYS = ("father", "mother", "child"), ("photograph", "aligned", "held out")
STRATEGIES = ("average", "likeness")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("trios", type=Path)
    parser.add_argument("--families", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    engine, chosen = Engine("morphable"), {}
    rows = [trio for trio in read_trio_list(words.trios) if trio.split in (None, "test")]
    for trio in random.Random(words.seed).sample(rows, len(rows)):
        if trio.family not in chosen and len(chosen) < words.families:
            found = look(engine, trio)
            if found is not None:
                chosen[trio.family] = (trio, found)
    trios = [trio for trio, _ in chosen.values()]
    others = torch.tensor([[a.family != b.family and a.child_gender == b.child_gender for b in trios] for a in trios])
    found = {role: torch.stack([seen[role] for _, seen in chosen.values()]) for role in (*ROLES, "rendered")}

    def told(name: str, prediction: Tensor, way: int) -> None:
        auc = scores(F.normalize(prediction, dim=1), found["child"][:, way], others).auc
        print(f"{name}\t{over_families(auc, [trio.family for trio in trios])}")

    for way, name in enumerate(WAYS):
        told(f"mean of the parents' embeddings, {name}", found["father"][:, way] + found["mother"][:, way], way)
    held = WAYS.index("held out")
    for way, name in enumerate(("detail included", "from the code alone")):
        father, mother, *children = found["rendered"][:, way].unbind(1)
        told(f"mean of the rendered parents' embeddings, {name}", father + mother, held)
        for strategy, child in zip(STRATEGIES, children, strict=True):
            told(f"their child by {strategy}, {name}", child, held)


@torch.inference_mode()
def look(engine: Engine, trio: TrioFiles) -> dict[str, Tensor] | None:
    """Unit embeddings [3, 128] of each person in three ways.

    `rendered` [2, 4, 128]: father, mother and a child by each strategy, with detail and without.
    """
    latents, seen = [], {}
    try:
        for role in ROLES:
            latent, seen[role] = person(engine, getattr(trio, role))
            latents.append(latent)
    except InputError:
        return None
    father, mother = latents[:2]
    children = [engine.blend(father, mother, engine.blender(strategy)).latent for strategy in STRATEGIES]
    born = [father, mother, *children]
    bare = [Latent(latent.code, latent.space) for latent in born]
    pictures = [engine.backbone.render(some) for some in (born, bare)]
    return {**seen, "rendered": torch.stack([F.normalize(embed_faces(some), dim=1) for some in pictures])}


def person(engine: Engine, path: Path) -> tuple[Latent, Tensor]:
    """The latent, and the embeddings in three ways."""
    picture = read_image(path)
    scale = max(1.0, MIN_SIDE / min(picture.size))
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture.convert("RGB"))
    as_it_is, held_out = engine.parent(picture), engine.parent(pad_edges(picture))
    straight = identity_network()(to_batch([Image.fromarray(chip(pixels, find_face(picture).landmarks))]))
    embeddings = torch.cat([straight, embed_faces([as_it_is.crop, held_out.crop])])
    return held_out.latent, F.normalize(embeddings, dim=1)


def chip(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """dlib's chip of the face with these landmarks."""
    shape = dlib.points([dlib.point(round(x), round(y)) for x, y in points])
    around = dlib.rectangle(0, 0, pixels.shape[1], pixels.shape[0])
    return dlib.get_face_chip(pixels, dlib.full_object_detection(around, shape), CHIP, PADDING)


if __name__ == "__main__":
    main()
