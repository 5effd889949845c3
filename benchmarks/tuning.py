"""What pivotal tuning does to people: how like their photographs they are drawn, with it and without; and how old
their children look.

python benchmarks/tuning.py FACES.zip --people 23
python benchmarks/tuning.py FACES.zip --people 12 --ages 4,8,16,40,60 --analyser face-api
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from itertools import product
from statistics import fmean, median, pstdev

import torch
from PIL.Image import Image
from torch import Tensor

from kinblend import Engine, IdentityNetwork, Latent
from kinblend.evaluation.face_dataset import read_faces
from kinblend.evaluation.image_metrics import psnr
from kinblend.faces import faces_in
from kinblend.identity import load_identity
from kinblend.imaging import to_batch
from kinblend.interfaces import TunesWeights
from kinblend.inversion import head_weight
from kinblend.inversion.losses import edges
from kinblend.plugins import load_plugins

SIDE = 512  # px of the pictures that are compared
STEPS = 30


def main() -> None:
    words = _words()
    engine, judge = Engine(words.backbone), load_identity(words.second)
    projector = engine.backbone.projector
    assert isinstance(projector, TunesWeights), "its projector can't be tuned"
    rows: list[dict[str, float]] = []
    people: list[tuple[Latent, Latent]] = []
    for face in read_faces(words.faces)[words.first :: words.every][: words.people]:
        begun = time.process_time()
        [refined] = engine.backbone.encode([face])
        encoded = time.process_time()
        tuned = projector.tune(face, refined, steps=STEPS)
        seconds = {"refined: CPU s": encoded - begun, "tuned: CPU s": time.process_time() - begun}
        pairs = [("refined", refined), ("tuned", tuned)]
        before, after = (_row(label, engine, latent, face, judge) for label, latent in pairs)
        rows.append(before | after | seconds)
        people.append((refined, tuned))
        print("  ".join(f"{name} {value:.3f}" for name, value in rows[-1].items()), flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name}\tmean {fmean(values):.3f}\tmedian {median(values):.3f}\tmost {max(values):.3f}")
    if words.ages:
        _print_ages(engine, people, words)


def _print_ages(engine: Engine, people: Sequence[tuple[Latent, Latent]], words: argparse.Namespace) -> None:
    """How old a network sees the children of each two people in turn, a girl and a boy of each age, and whether each
    picture has one face."""
    analyse = load_plugins()["analyser"].get(words.analyser).load()
    couples = list(zip(people[::2], people[1::2], strict=False))
    for age, sex in product(map(float, words.ages.split(",")), ("girl", "boy")):
        line, alone = [], 0
        for kind in (0, 1):
            children = [
                engine.run(one[kind], other[kind], blender="average", age=age, sex=sex, judge=False).children[0].image
                for one, other in couples
            ]
            alone += sum(len(faces_in(child)) == 1 for child in children)
            seen = [entry["age"] for entry in analyse(children)]
            line.append(f"{fmean(seen):.1f} ± {pstdev(seen):.1f}")
        print(
            f"{sex} of {age:g}\trefined {line[0]}\ttuned {line[1]}\tone face in {alone} of {2 * len(couples)}",
            flush=True,
        )


@torch.inference_mode()
def _row(label: str, engine: Engine, latent: Latent, face: Image, judge: IdentityNetwork) -> dict[str, float]:
    shown, truth = (to_batch([one], SIDE) for one in (engine.render(latent), face))
    where = head_weight(SIDE, border=0.0)
    found = {
        "PSNR": float(psnr((shown + 1) / 2, (truth + 1) / 2, where.square())),
        "edges": _edges(shown, where) / _edges(truth, where),
    }
    for network in (load_identity("dlib"), judge):
        one, other = (network.embed_pictures(picture)[0] for picture in (shown, truth))
        found[f"{network.name} distance"] = float((one - other).norm())
        found[f"{network.name} cosine"] = float(torch.cosine_similarity(one, other, dim=0))
    return {f"{label}: {name}": value for name, value in found.items()}


def _edges(pictures: Tensor, where: Tensor) -> float:
    """The mean strength of edges inside the head."""
    return sum(float((one * where[..., : one.shape[2], : one.shape[3]]).abs().mean()) for one in edges(pictures))


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", help="a zip of aligned faces, one person each")
    parser.add_argument("--backbone", default="ffhq-mobile")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="the first of them, from 0")
    parser.add_argument("--every", type=int, default=1, help="take one of so many")
    parser.add_argument("--ages", help="of children of the first and the second, the third and the fourth … of them")
    parser.add_argument("--analyser", default="face-api", help="what tells the age of a face")
    parser.add_argument("--second", default="mobilefacenet", help="an identity network that nothing is tuned through")
    return parser.parse_args()


if __name__ == "__main__":
    main()
