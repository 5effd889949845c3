"""What pivotal tuning does to people: how like their photographs they are drawn, with it and without.

python benchmarks/tuning.py FACES.zip --people 23
"""

from __future__ import annotations

import argparse
import time
from statistics import fmean, median

import torch
from PIL.Image import Image
from torch import Tensor

from kinblend import Engine, IdentityNetwork, Latent
from kinblend.evaluation.face_dataset import read_faces
from kinblend.evaluation.image_metrics import psnr
from kinblend.identity import load_identity
from kinblend.imaging import to_batch
from kinblend.interfaces import TunesWeights
from kinblend.inversion import head_weight
from kinblend.inversion.losses import edges

SIDE = 512  # px of the pictures that are compared
STEPS = 30


def main() -> None:
    words = _words()
    engine, judge = Engine(words.backbone), load_identity(words.second)
    projector = engine.backbone.projector
    assert isinstance(projector, TunesWeights), "its projector can't be tuned"
    rows: list[dict[str, float]] = []
    for face in read_faces(words.faces)[: words.people]:
        begun = time.process_time()
        [refined] = engine.backbone.encode([face])
        encoded = time.process_time()
        tuned = projector.tune(face, refined, steps=STEPS)
        seconds = {"refined: CPU s": encoded - begun, "tuned: CPU s": time.process_time() - begun}
        pairs = [("refined", refined), ("tuned", tuned)]
        before, after = (_row(label, engine, latent, face, judge) for label, latent in pairs)
        rows.append(before | after | seconds)
        print("  ".join(f"{name} {value:.3f}" for name, value in rows[-1].items()), flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name}\tmean {fmean(values):.3f}\tmedian {median(values):.3f}\tmost {max(values):.3f}")


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
    parser.add_argument("--second", default="mobilefacenet", help="an identity network that nothing is tuned through")
    return parser.parse_args()


if __name__ == "__main__":
    main()
