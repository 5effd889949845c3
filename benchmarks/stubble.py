"""Fits what reads the shadow of a beard from codes of boys, and measures what is left of it in pictures.

The shadow is in CIELAB: how much darker the skin above the upper lip is than the cheeks (L*, 0 to 100). Boys are
children of couples that the generator draws and of couples of photographs, by the encoder alone; a random amount of
stubble is taken from each, so that the reader learns what taking more does. It is a ridge on the means of three
groups of layers, and reads what is left where the fixed amount is gone; the editor takes that, too.

`measure` prints the shadow, the redness of lips (a* above the cheeks') and, with a network that names the parts of a
face, how many wear earrings, for children of couples of photographs.

pip install ai-edge-litert    # for --parser
python benchmarks/stubble.py fit FACES.zip DIRECTIONS.safetensors OUT.safetensors
python benchmarks/stubble.py measure FACES.zip DIRECTIONS.safetensors [--parser bisenetv2_celebamaskhq.tflite]
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from age_reader import _strengths
from numpy.typing import NDArray
from PIL.Image import Image
from published_directions import drawn_couples
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinblend import Context, Editor, Engine
from kinblend.backbone import make_plugin
from kinblend.evaluation.face_dataset import couples, read_faces
from kinblend.faces.attributes import cheeks, cielab, patch_reader
from kinblend.faces.landmarks import predict_in_crop
from kinblend.imaging import to_pictures
from kinblend_plugins.interfacegan.training.picture_measurements import read_parser

GROUPS = ((0, 8), (8, 13), (13, 18))  # layers whose means are looked at
# Skin above the upper lip: each patch lies round the middle of some of the 68 landmarks.
ABOVE_LIP = ((51, 33), (50, 32), (52, 34), (50, 50, 32, 32, 48, 31), (52, 52, 34, 34, 54, 35))
LIPS = ((50, 61), (51, 62), (52, 63), (57, 66), (56, 65), (58, 67))
DOSES = (0.0, 1.0, 2.0, 3.0)  # of the direction of stubble, beyond the fixed amount
PENALTY = 60.0
# Above 6.5 L* of shadow, one more step goes for each 1.5 L*, three at most: by eye, on the son of a bearded man, and
# near what children that the generator draws have (3.4, 5.0 at the upper quartile).
SD, NONE, MOST = 1.5, 6.5, 3.0
LIMIT = 19.0  # years: at sixteen and a half all of it goes
YOUNGEST, OLDEST = 3.5, 13.0  # years
SIZE = 256  # px
AGES, EARRING, LEAST = (4, 8, 12, 16), 9, 0.003  # EARRING: class of the parser; of it, squared eye distances


def lip_shadow(picture: Image, landmarks: NDArray[Any]) -> float:
    """How much darker the skin above the upper lip is than the cheeks, in L*."""
    at = patch_reader(cielab(np.asarray(picture)), landmarks)
    bare = np.mean([at(place)[0] for place in cheeks(landmarks)])
    return float(bare - np.mean([at(landmarks[list(points)].mean(axis=0))[0] for points in ABOVE_LIP]))


def lip_redness(picture: Image, landmarks: NDArray[Any]) -> float:
    """How much redder the lips are than the cheeks, in a*."""
    at = patch_reader(cielab(np.asarray(picture)), landmarks)
    bare = np.mean([at(place)[1] for place in cheeks(landmarks)])
    return float(np.mean([at(landmarks[list(points)].mean(axis=0))[1] for points in LIPS]) - bare)


def main() -> None:
    words = _words()
    if words.work == "fit":
        fit(words)
    else:
        measure(words)


def fit(words: argparse.Namespace) -> None:
    engine = Engine(words.backbone, encoder_options={"refine": 0})
    with safe_open(words.directions, framework="pt") as file:
        metadata = file.metadata()
    tensors, about = load_file(words.directions), json.loads(metadata["attributes"])
    step, amount = unread(tensors), about["stubble"]["removed"]["amount"]
    tensors["stubble"] = step.half()
    about["stubble"]["removed"] = {"unless": {"age": LIMIT}, "of": {"gender": 0.5}, "amount": amount}
    tensors.pop("stubble.reader", None)
    save_file(tensors, words.out, metadata | {"attributes": json.dumps(about)})
    codes, shadows = sample(engine, _editor(engine, words.out), words, step)
    weights, bias = ridge(_features(codes), torch.tensor(shadows))
    tensors["stubble.reader"] = _laid(weights, codes.shape[1]) / SD
    about["stubble"] |= {"sd": SD, "mean": 0.0, "bias": bias / SD}
    about["stubble"]["removed"] |= {"none": NONE, "most": MOST}
    save_file(tensors, words.out, metadata | {"attributes": json.dumps(about)})


def unread(tensors: dict[str, Tensor]) -> Tensor:
    """The direction of stubble [L, D] without what the readers of age and sex see of it.

    Otherwise the editor makes boys older in other ways, until they are read as old as with their stubble.
    """
    step = tensors["stubble"].float()
    readers = [tensors[name].float() * (step != 0) for name in ("age.reader", "age.up.reader", "gender.reader")]
    seen = torch.stack([reader.flatten() for reader in readers if float(reader.abs().sum()) > 0])
    return step - (torch.linalg.pinv(seen) @ (seen @ step.flatten())).reshape(step.shape)


def sample(engine: Engine, editor: Editor, words: argparse.Namespace, step: Tensor) -> tuple[Tensor, list[float]]:
    """Codes [n, L, D] of boys, and the shadows in their pictures; prints how well folds left out are read."""
    source = random.Random(1)
    drawn, seen = list(islice(drawn_couples(engine), words.samples)), _children(engine, words.faces, words.samples)
    codes, shadows = [], []
    for child in (drawn + seen)[:: max(1, (len(drawn) + len(seen)) // words.samples)]:
        age = source.uniform(YOUNGEST, OLDEST)
        boy = editor.edit(child[None], _strengths(editor, child, age, "male")) - source.choice(DOSES) * step
        [picture] = draw(engine, boy)
        codes.append(boy[0])
        shadows.append(lip_shadow(picture, predict_in_crop(picture)))
    known, values = torch.stack(codes), torch.tensor(shadows)
    found = torch.zeros(len(values))
    for fold in range(8):
        out = torch.arange(len(values)) % 8 == fold
        weights, bias = ridge(_features(known[~out]), values[~out])
        found[out] = _features(known[out]) @ weights + bias
    print(json.dumps({"boys": len(values), "r": round(float(torch.corrcoef(torch.stack([found, values]))[0, 1]), 3)}))
    return known, shadows


def ridge(features: Tensor, values: Tensor) -> tuple[Tensor, float]:
    """Weights [F] and bias."""
    middle, mean = features.mean(0), values.mean()
    away = features - middle
    inner = away @ away.T + PENALTY * torch.eye(len(away))
    weights = away.T @ torch.linalg.solve(inner, values - mean)
    return weights, float(mean - middle @ weights)


def measure(words: argparse.Namespace) -> None:
    engine = Engine(words.backbone)
    editor, parser = _editor(engine, words.directions), read_parser(words.parser) if words.parser else None
    children = _children(engine, words.faces, words.samples)
    for age in AGES:
        for sex in ("female", "male"):
            codes = [editor.edit(child[None], _strengths(editor, child, age, sex)) for child in children]
            pictures = [picture for code in codes for picture in draw(engine, code)]
            points = [predict_in_crop(picture) for picture in pictures]
            shadow, red = (
                [look(*one) for one in zip(pictures, points, strict=True)] for look in (lip_shadow, lip_redness)
            )
            row: dict[str, Any] = {"age": age, "sex": sex}
            row |= {"shadow": quartiles(shadow), "redness": quartiles(red)}
            if parser:
                row["earrings"] = sum(has_earring(parser(p), at) for p, at in zip(pictures, points, strict=True))
            print(json.dumps(row), flush=True)


def has_earring(parts: NDArray[Any], landmarks: NDArray[Any]) -> bool:
    """Whether a parser [H, W] of a picture with these landmarks names enough of it an earring."""
    eyes = landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)
    return bool((parts == EARRING).sum() > LEAST * (np.hypot(*eyes) * parts.shape[0] / SIZE) ** 2)


def quartiles(values: Sequence[float]) -> list[float]:
    return [round(float(value), 1) for value in np.quantile(values, (0.25, 0.5, 0.75, 1.0))]


@torch.inference_mode()
def draw(engine: Engine, codes: Tensor) -> list[Image]:
    return to_pictures(engine.backbone.projector.synthesize(codes, size=SIZE))


def _children(engine: Engine, faces: Path, count: int) -> list[Tensor]:
    """Codes [L, D] of the means of random couples, calm."""
    people, editor, calm = read_faces(faces), engine.editor(), {}
    pairs = couples(len(people), count, seed=1)
    for number in {number for pair in pairs for number in pair}:
        calm[number] = engine.neutral(engine.backbone.encode([people[number]])[0], editor).code
    return [(calm[father] + calm[mother]) / 2 for father, mother in pairs]


def _editor(engine: Engine, directions: Path) -> Editor:
    return make_plugin(
        "editor", "interfacegan", Context(engine.backbone.space, {"directions.safetensors": directions})
    )


def _features(codes: Tensor) -> Tensor:
    return torch.cat([codes[:, first:end].mean(1) for first, end in GROUPS], 1)


def _laid(weights: Tensor, layers: int) -> Tensor:
    """As a file keeps a reader: [L, D]."""
    parts = weights.reshape(len(GROUPS), -1)
    out = torch.zeros(layers, parts.shape[1])
    for (first, end), part in zip(GROUPS, parts, strict=True):
        out[first:end] = part / (end - first)
    return out


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", choices=("fit", "measure"))
    parser.add_argument("faces", type=Path, help="aligned faces of adults, a folder or a zip")
    parser.add_argument("directions", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=Path("directions.safetensors"))
    parser.add_argument("--backbone", default="ffhq-mobile")
    parser.add_argument("--samples", type=int, default=24, help="children")
    parser.add_argument("--parser", type=Path, help="a network that names the parts of a face (.tflite)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
