"""Does an edit leave the skin's colour alone? Children before and after, the darker half by itself.

python benchmarks/complexion.py FACES.zip [--pairs 24] [--backbone morphable]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from kinblend import Engine
from kinblend.evaluation.face_dataset import couples, read_faces
from kinblend.faces import predict_in_crop
from kinblend_plugins.interfacegan.training.face_measurements import complexion

EDITS = {"age": ("4y", "8y", "16y", -2.0, 2.0), "gender": (-2.0, 2.0), "smile": (2.0,), "weight": (2.0,)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--backbone", default="morphable")
    words = parser.parse_args()
    engine, faces = Engine(words.backbone), read_faces(words.faces)
    pairs, strategy, editor = couples(len(faces), words.pairs, seed=1), engine.blender(), engine.editor()
    latents = {i: engine.neutral(engine.backbone.encode([faces[i]])[0], editor) for pair in pairs for i in pair}
    born = [engine.blend(latents[f], latents[m], strategy).latent for f, m in pairs]

    def colours(children):
        """Logarithms of red, green and blue on the cheeks: [n, 3]."""
        return np.array([complexion(p, predict_in_crop(p))[3:6] for p in engine.backbone.render(children)])

    before = colours(born)
    dark = before.mean(1) <= np.median(before.mean(1))
    report = {}
    for name, wishes in EDITS.items():
        for wish in wishes:
            change = colours([engine.edit(child, editor, {name: wish}) for child in born]) - before
            light, red = change.mean(1), change[:, 0] - change[:, 2]
            report[f"{name}={wish}"] = {
                f"{what}, {who}": round(float(values[rows].mean()), 3)
                for what, values in (("lighter", light), ("redder", red))
                for who, rows in (("all", slice(None)), ("darker half", dark))
            }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
