"""What the cosines of an identity network mean: strangers, and two photographs of one person.

Strangers are the pairs of a set of different people; one person has the single photographs of each of the ten
synthetic people of the package `openpeople`. Siblings need a kinship set: `kinblend evaluate blender` prints their
cosine ("a sibling, cosine to the child").

python benchmarks/similarity_scale.py FACES.zip --network dlib
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from kinblend.errors import FaceError
from kinblend.evaluation.face_dataset import read_faces
from kinblend.face_interfaces import IdentityNetwork
from kinblend.faces import align, find_face
from kinblend.identity import load_identity
from kinblend.imaging import read_image

SIDE = 512  # px of a crop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path, help="folder or zip of FFHQ-aligned pictures of different people")
    parser.add_argument("--network", help="one of `kinblend identity-networks list`")
    words = parser.parse_args()
    network = load_identity(words.network)
    strangers = normalize(network.embed_faces(read_faces(words.faces)))
    own = [pairs(embeddings) for embeddings in people(network)]
    figures = {
        "network": network.name,
        "strangers": summary(pairs(strangers)),
        "same_person": summary(torch.cat(own)),
    }
    print(json.dumps(figures, indent=2))


def people(network: IdentityNetwork) -> list[Tensor]:
    """The embeddings of each of the ten people: float32 [n, E]."""
    spec = find_spec("openpeople")
    assert spec is not None and spec.submodule_search_locations, "pip install openpeople==0.1.2"
    found = []
    for folder in sorted((Path(spec.submodule_search_locations[0]) / "data" / "curated").iterdir()):
        crops = []
        for path in sorted((folder / "assets").glob("*.jpg")):
            if "sheet" in path.name:  # several pictures in one
                continue
            picture = read_image(path)
            try:
                crops.append(align(picture, find_face(picture).landmarks, SIDE))
            except FaceError as error:
                print(f"left out: {error}")
        found.append(normalize(network.embed_faces(crops)))
    return found


def pairs(embeddings: Tensor) -> Tensor:
    """The cosine of each pair of unit embeddings [n, E]: float32 [n (n − 1) / 2]."""
    rows, columns = torch.triu_indices(len(embeddings), len(embeddings), offset=1)
    return (embeddings @ embeddings.T)[rows, columns]


def summary(cosines: Tensor) -> dict[str, float]:
    """The mean, the middle 90 %, and of how many pairs."""
    low, high = cosines.quantile(torch.tensor([0.05, 0.95])).tolist()
    found = {"pairs": len(cosines), "mean": float(cosines.mean()), "low": low, "high": high}
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
