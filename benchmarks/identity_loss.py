"""Where identity is lost between photographs of parents and a picture of their child.

    python benchmarks/identity_loss.py TRIOS.csv [--families 100] [--seed 0]

One trio of each family. AUC: is the true child nearer than another family's child of the same sex, by dlib's
embeddings? `aligned` cuts dlib's chips from the aligned crop, as `kinblend families encode` does; `photograph` cuts
them from the picture itself; `held out` too, its border continued to all sides. Then the picture: each parent
rendered from the code alone and the mean of both embeddings, and their average rendered.
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

from kinblend import Engine
from kinblend.errors import InputError
from kinblend.evaluation.bootstrap import over_families
from kinblend.evaluation.kinship import scores
from kinblend.faces import find_face
from kinblend.families.encode import SMALLEST
from kinblend.families.manifest import TrioFiles, read_trio_list
from kinblend.identity import embed_faces, identity_by_name, identity_network
from kinblend.imaging import read_image, to_batch

CHIP, PADDING, MORE = 150, 0.25, 300  # px, dlib's own padding, px of border held out
ROLES = ("father", "mother", "child")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("trios", type=Path)
    parser.add_argument("--families", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    engine, chosen = Engine("morphable"), {}
    rows = read_trio_list(words.trios)
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

    for way, name in enumerate(("aligned", "photograph", "held out")):
        told(f"mean of the parents' embeddings, {name}", found["father"][:, way] + found["mother"][:, way], way)
    told("mean of the rendered parents' embeddings", found["rendered"][:, 0] + found["rendered"][:, 1], 0)
    told("the parents' average, rendered", found["rendered"][:, 2], 0)


@torch.inference_mode()
def look(engine: Engine, trio: TrioFiles) -> dict[str, Tensor] | None:
    """Unit embeddings of each person in three ways, and of father, mother and average rendered: [3, 128] each."""
    codes, seen = [], {}
    try:
        for role in ROLES:
            code, seen[role] = person(engine, getattr(trio, role))
            codes.append(code)
    except InputError:
        return None
    identity, father, mother = identity_by_name("dlib"), codes[0], codes[1]
    born = torch.stack([father, mother, (father + mother) / 2])
    pictures = engine.backbone.projector.synthesize(born, size=identity.best_side)
    return {**seen, "rendered": F.normalize(identity.of_pictures(pictures), dim=1)}


def person(engine: Engine, path: Path) -> tuple[Tensor, Tensor]:
    """The code, and the embeddings in three ways."""
    picture = read_image(path)
    scale = max(1.0, SMALLEST / min(picture.size))
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    parent, points = engine.parent(picture), find_face(picture).landmarks
    pixels = np.asarray(picture.convert("RGB"))
    wide = np.pad(pixels, ((MORE, MORE), (MORE, MORE), (0, 0)), mode="edge")
    chips = [Image.fromarray(chip(pixels, points)), Image.fromarray(chip(wide, points + MORE))]
    embeddings = torch.cat([embed_faces([parent.crop]), identity_network()(to_batch(chips))])
    return parent.latent.code, F.normalize(embeddings, dim=1)


def chip(pixels: np.ndarray, points: np.ndarray) -> np.ndarray:
    """dlib's chip of the face with these landmarks."""
    shape = dlib.points([dlib.point(round(x), round(y)) for x, y in points])
    around = dlib.rectangle(0, 0, pixels.shape[1], pixels.shape[0])
    return dlib.get_face_chip(pixels, dlib.full_object_detection(around, shape), CHIP, PADDING)


if __name__ == "__main__":
    main()
