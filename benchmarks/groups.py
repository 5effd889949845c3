"""Is the embedded backbone as good for everyone? Reconstructions by group, groups by the model's own readings.

python benchmarks/groups.py FACES.zip
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from kinblend import Engine, Latent
from kinblend.evaluation.face_dataset import read_faces
from kinblend.identity import embed_faces
from kinblend_plugins.interfacegan.direction_file import read_packed

THIRDS = {"skin": ("lightest third", "middle", "darkest third"), "age": ("youngest third", "middle", "oldest third")}
HALVES = {"gender": ("more female half", "more male half")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path)
    engine, faces = Engine(), read_faces(parser.parse_args().faces)
    backbone = engine.backbone
    latents = [backbone.encode([face])[0] for face in faces]
    directions = read_packed(backbone.context.files["directions.safetensors"], backbone.space).directions
    codes, photographs = torch.stack([latent.code for latent in latents]), embed_faces(faces)
    alone = embed_faces([backbone.render([Latent(latent.code, latent.space)])[0] for latent in latents])
    away = (alone - photographs).norm(dim=1)
    report = {}
    for attribute, names in (THIRDS | HALVES).items():
        order = directions[attribute].reading(codes).argsort()
        for name, rows in zip(names, order.tensor_split(len(names)), strict=True):
            report[f"{attribute}, {name}"] = {"people": len(rows), "distance": round(float(away[rows].median()), 3)}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
