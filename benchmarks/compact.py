"""What a pack of `kinblend train backbone stylegan2` is worth: held-out faces and children of random pairs of them.

    python benchmarks/compact.py FACES.zip PACK [--people N] [--pairs N]

FACES.zip is the archive it was trained on; the split `val` is looked at. Everything is enlarged to 256 px (bicubic)
before the face detector and dlib's network see it, the photographs as the pictures. Under a distance of 0.6 two
pictures count as one person.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from kinblend import Backbone, Latent, load_backbone
from kinblend.blend import weighted_sum
from kinblend.faces import faces_in
from kinblend.identity import embed_faces
from kinblend.imaging import to_pictures
from kinblend_plugins.stylegan2.training.faces import read, to_floats

SIZE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--people", type=int, default=10**6)
    parser.add_argument("--pairs", type=int, default=100)
    words = parser.parse_args()
    backbone = load_backbone(words.pack)
    faces = to_floats(read(words.faces, "val", backbone.projector.resolution)[: words.people])
    photographs = [enlarged(picture) for picture in to_pictures(faces)]
    codes = torch.cat([backbone.encoder.encode(part) for part in faces.split(16)])
    embeddings = embed_faces(photographs)
    pairs = [random.Random(seed).sample(range(len(faces)), 2) for seed in range(words.pairs)]
    children = torch.stack([weighted_sum(codes[f], codes[m], torch.full_like(codes[f], 0.5)) for f, m in pairs])
    report = {
        "people": len(faces),
        "one face found, photographs": found(photographs),
        "reconstructions": reconstructions(rendered(backbone, codes), embeddings),
        "children by average": born(rendered(backbone, children), embeddings, pairs),
    }
    print(json.dumps(report, indent=1))


def rendered(backbone: Backbone, codes: Tensor) -> list[Image.Image]:
    return [enlarged(picture) for code in codes for picture in backbone.render([Latent(code, backbone.space)])]


def enlarged(picture: Image.Image) -> Image.Image:
    return picture.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def reconstructions(pictures: list[Image.Image], photographs: Tensor) -> dict[str, float]:
    distances = torch.cdist(embed_faces(pictures), photographs)
    own = distances.diagonal()
    nearest = distances.argmin(1) == torch.arange(len(own))
    return {
        "one face found": found(pictures),
        "distance, median": round(float(own.median()), 3),
        "distance to strangers, median": round(float(distances.median()), 3),
        "right person nearest": round(float(nearest.float().mean()), 3),
    }


def born(pictures: list[Image.Image], photographs: Tensor, pairs: list[list[int]]) -> dict[str, float]:
    distances = torch.cdist(embed_faces(pictures), photographs)
    farther = torch.stack([distances[i, pair].max() for i, pair in enumerate(pairs)])
    return {
        "one face found": found(pictures),
        "nearer to both parents than the median stranger": round(
            float((farther < distances.median(1).values).float().mean()), 3
        ),
    }


def found(pictures: list[Image.Image]) -> float:
    return round(sum(len(faces_in(picture)) == 1 for picture in pictures) / len(pictures), 3)


if __name__ == "__main__":
    main()
