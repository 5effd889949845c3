"""Pictures that a generator draws, and how networks see them: the data of `generated_directions`.

Everything follows from a seed, so that work that was ended goes on where it stopped: what was seen is kept in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save, save_file
from torch import Tensor

from kinblend.errors import CorruptFileError, UnsupportedError
from kinblend.faces import predict_in_crop
from kinblend.files import atomic_write, replacing
from kinblend.imaging import to_pictures
from kinblend.inversion import redone, undone
from kinblend.tensor_files import load_file, safe_open
from kinblend_plugins.interfacegan.training.gaussian import linear_reader
from kinblend_plugins.interfacegan.training.generated_directions import (
    RIDGE,
    Layers,
    Measurements,
    even,
    fit_generated,
    metadata,
    pooled,
    uneven,
)
from kinblend_plugins.interfacegan.training.picture_measurements import measure_picture
from kinblend_plugins.interfacegan.training.rated_directions import Directions

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend import Backbone
    from kinblend_plugins.interfacegan.training.picture_measurements import Parser

    Analyser = Callable[[Sequence[Image]], list[dict[str, Any]]]

SIDE = 256  # of the pictures that are looked at, in pixels
BATCH = 4
SAVE_EVERY = 64  # pictures
LOW_PSI, HIGH_PSI = 0.6, 1.0  # truncation of what is drawn
CHOICE = 10  # codes of which one is drawn, so that all ages are as frequent
BINS = (0, 3, 5, 8, 11, 15, 20, 26, 34, 42, 50, 58, 66, 200)  # years
COUPLE_PSI, YOUNGEST, OLDEST = 0.75, 24.0, 48.0  # truncation and years of parents
SURE = 0.85  # how male a father reads; a mother one less that
LEAST, MOST = 1.2, 75.0  # years that couples' children are moved to
MAPPED = 20000  # codes whose covariance is taken


@dataclass(frozen=True)
class Plan:
    """What is drawn.

    pictures: of the generator as it is. couples: whose mean codes are moved, once in each of `rounds`. seed: of all
    that is drawn.
    """

    pictures: int = 3000
    couples: int = 200
    rounds: int = 3
    seed: int = 0


class MeasurementCache:
    """What was seen so far, in order, kept in a file."""

    def __init__(self, path: Path, about: dict[str, str]) -> None:
        self._path, self._about, self._used = path, about, 0
        self._rows = _rows(path, about)

    def take(self, count: int) -> list[dict[str, float]]:
        """Up to so many that were seen before and have not been asked for."""
        found = self._rows[self._used : self._used + count]
        self._used += len(found)
        return found

    def add(self, row: dict[str, float]) -> None:
        self._rows.append(row)
        self._used += 1
        if self._used % SAVE_EVERY == 0:
            self.save()

    def save(self) -> None:
        names = sorted({name for row in self._rows for name in row})
        table = torch.tensor([[row.get(name, float("nan")) for name in names] for row in self._rows])
        with replacing(self._path) as part:
            save_file({"rows": table.double()}, part, self._about | {"names": " ".join(names)})

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Sampler:
    """Where pictures are drawn and looked at. see: an analyser that tells age and gender. parser: of faces."""

    backbone: Backbone
    see: Analyser
    cache: MeasurementCache
    parser: Parser | None = None

    def measure(self, codes: Tensor, progress: Callable[[], None]) -> Measurements:
        """How the pictures of codes [n, L, D] look."""
        rows = self.cache.take(len(codes))
        for batch in torch.split(codes[len(rows) :], BATCH):
            for picture in self._pictures(batch):
                rows.append(self._row(picture))
                self.cache.add(rows[-1])
                progress()
        coarse, fine = pooled(codes, layers_of(self.backbone))
        names = sorted({name for row in rows for name in row})
        values = {n: torch.tensor([row.get(n, float("nan")) for row in rows], dtype=torch.float64) for n in names}
        return Measurements(coarse, fine, values)

    def _pictures(self, codes: Tensor) -> list[Image]:
        projector = self.backbone.projector
        with self.backbone.pool.lease(projector.module, "projector"), torch.inference_mode():
            found = projector.synthesize(codes, size=SIDE)
        return to_pictures(torch.nn.functional.adaptive_avg_pool2d(found, SIDE))

    def _row(self, picture: Image) -> dict[str, float]:
        """Age and sex are means over the picture and its mirror image."""
        seen = self.see([picture, mirrored(picture)])
        age = sum(float(guess["age"]) for guess in seen) / len(seen)
        male = sum(male_share(guess) for guess in seen) / len(seen)
        return {"age": age, "gender": male} | measure_picture(picture, predict_in_crop(picture), self.parser)


def train_generated(
    sampler: Sampler,
    plan: Plan,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> Directions:
    """Draw, look, fit, and write `out`.

    progress: told how many of how many pictures were looked at. log: told the figures.
    Raises `UnsupportedError` for a projector without a mapping network.
    """
    step = _Steps(plan, progress)
    layers, covariance = layers_of(sampler.backbone), _covariance(sampler.backbone, plan)
    first = sampler.measure(_drawn(sampler.backbone, plan.pictures // 3, plan.seed), step)
    chosen = _chosen(sampler.backbone, first, plan.pictures - plan.pictures // 3, plan.seed + 1)
    drawn = joined(first, sampler.measure(chosen, step))
    edited = Measurements(drawn.coarse[:0], drawn.fine[:0], {name: v[:0] for name, v in drawn.values.items()})
    for number in range(plan.rounds):
        known = fit_generated(drawn, edited, covariance, layers)
        moved = _moved(sampler.backbone, known, plan, plan.seed + 10 * number + 2)
        edited = joined(edited, sampler.measure(moved, step))
    found = fit_generated(drawn, edited, covariance, layers, log)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, save({name: tensor.half() for name, tensor in found.tensors.items()}, metadata(found)))
    sampler.cache.forget()
    return found


def open_sampler(
    backbone: Backbone, analyser: Analyser, plan: Plan, part: Path, parser: Parser | None = None
) -> Sampler:
    """A sampler that keeps what it sees in `part`, and goes on with what it finds there of this backbone and plan."""
    about = {"space": backbone.space.sha256, "plan": repr(plan), "parser": str(parser is not None)}
    return Sampler(backbone, analyser, MeasurementCache(part, about), parser)


def layers_of(backbone: Backbone) -> Layers:
    """Shape goes by the first two groups of layers, colour from the second on."""
    groups = list(backbone.projector.layer_groups().values())
    second = groups[min(1, len(groups) - 1)]
    return Layers(backbone.space.layers, second[1] + 1, (second[0], backbone.space.layers - 1))


def mirrored(picture: Image) -> Image:
    from PIL import ImageOps

    return ImageOps.mirror(picture)


def male_share(guess: dict[str, Any]) -> float:
    """How male an analyser finds a face, 0 to 1."""
    sure = float(guess.get("gender_confidence", 1.0))
    return sure if guess["gender"] == "m" else 1 - sure


def joined(one: Measurements, other: Measurements) -> Measurements:
    """Both, one after the other."""
    both = [name for name in one.values if name in other.values]
    values = {name: torch.cat([one.values[name], other.values[name]]) for name in both}
    return Measurements(torch.cat([one.coarse, other.coarse]), torch.cat([one.fine, other.fine]), values)


class _Steps:
    """Counts pictures."""

    def __init__(self, plan: Plan, told: Callable[[int, int], None] | None) -> None:
        self.done, self.all, self.told = 0, plan.pictures + plan.rounds * plan.couples, told

    def __call__(self) -> None:
        self.done += 1
        if self.told is not None:
            self.told(self.done, self.all)


def _mapped(backbone: Backbone, count: int, seed: int, psi: float = 1.0) -> Tensor:
    """Codes that the mapping network draws, one w for all layers: float32 [n, D]."""
    projector: Any = backbone.projector
    if not hasattr(projector, "map"):
        raise UnsupportedError(f"{projector.title} has no mapping network to draw faces with")
    z = torch.randn(count, backbone.space.dim, generator=torch.Generator().manual_seed(seed))
    with backbone.pool.lease(projector.module, "projector"):
        return torch.cat([projector.map(part, psi)[:, 0] for part in torch.split(z, 256)])


def _spread(w: Tensor, layers: int) -> Tensor:
    return w[:, None].expand(-1, layers, -1).contiguous()


def _drawn(backbone: Backbone, count: int, seed: int) -> Tensor:
    """Codes [n, L, D], truncated by LOW_PSI to HIGH_PSI."""
    full, centre = _mapped(backbone, count, seed), _mapped(backbone, 1, seed, psi=0.0)
    psi = LOW_PSI + (HIGH_PSI - LOW_PSI) * torch.rand(count, 1, generator=torch.Generator().manual_seed(seed))
    return _spread(centre + psi * (full - centre), backbone.space.layers)


def _chosen(backbone: Backbone, first: Measurements, count: int, seed: int) -> Tensor:
    """Of many more codes those that, as the first pictures let one read, are of all ages and of both sexes."""
    codes = _drawn(backbone, CHOICE * count, seed)
    x = undone(codes[:, 0]).double()
    known = first.coarse.double()
    age, male = (
        x @ weights + level
        for weights, level in (
            linear_reader(known, even(first.values["age"]), RIDGE),
            linear_reader(known, first.values["gender"], RIDGE),
        )
    )
    bins = torch.bucketize(uneven(age), torch.tensor(BINS, dtype=torch.float64)) * 2 + (male > 0.5).long()
    return codes[_in_turn(bins, count)]


def _in_turn(bins: Tensor, count: int) -> Tensor:
    """Rows, as many of each bin as there are, one of each in turn."""
    rank = torch.zeros_like(bins)
    for number in torch.unique(bins):
        rows = bins == number
        rank[rows] = torch.arange(int(rows.sum()))
    return rank.argsort(stable=True)[:count].sort().values


def _covariance(backbone: Backbone, plan: Plan) -> Tensor:
    """Of undone codes: float64 [D, D]."""
    found: Tensor = torch.cov(undone(_mapped(backbone, MAPPED, plan.seed + 5)).double().T)
    return found


def _moved(backbone: Backbone, known: Directions, plan: Plan, seed: int) -> Tensor:
    """Couples' mean codes, neutral, moved to random ages and a random sex: [n, L, D]."""
    fathers, mothers = _parents(backbone, known, plan.couples, seed)
    layers = backbone.space.layers
    codes = (_spread(fathers, layers) + _spread(mothers, layers)) / 2
    numbers = torch.Generator().manual_seed(seed)
    low, high = even(torch.tensor([LEAST, MOST], dtype=torch.float64))
    ages = low + (high - low) * torch.rand(len(codes), generator=numbers, dtype=torch.float64)
    sexes = (torch.rand(len(codes), generator=numbers) < 0.5).double()
    v = undone(codes).double()
    change = _towards(known, v, "age", ages) + _towards(known, v, "gender", sexes)
    return torch.where(change == 0, codes.double(), redone(v + change)).float()


def _parents(backbone: Backbone, known: Directions, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Men and women of an age to be parents, calm: [n, D] each."""
    w = _mapped(backbone, 20 * count, seed, COUPLE_PSI)
    v = undone(_spread(w, backbone.space.layers)).double()
    age, male = uneven(_value(known, v, "age")), _value(known, v, "gender")
    grown = (age > YOUNGEST) & (age < OLDEST)
    found = []
    for rows in (grown & (male > SURE), grown & (male < 1 - SURE)):
        v_calm = v[rows][:count]
        for name, facts in known.about.items():
            if "neutral" in facts:
                goal = torch.full((len(v_calm),), facts["neutral"], dtype=torch.float64)
                change = _towards(known, v_calm, name, goal)
                over = (_value(known, v_calm, name) > goal) | (facts["neutral_from"] == "both")
                v_calm = v_calm + change * over[:, None, None]
        found.append(redone(v_calm[:, 0]).float())
    size = min(len(part) for part in found)
    return found[0][:size], found[1][:size]


def _value(known: Directions, v: Tensor, name: str) -> Tensor:
    """What a reader says of undone codes [n, L, D], age on the even scale: float64 [n]."""
    facts = known.about[name]
    deviations = torch.einsum("nld,ld->n", v, known.tensors[f"{name}.reader"].double()) + facts["bias"]
    value: Tensor = deviations * facts["sd"] + facts["mean"]
    return value


def _towards(known: Directions, v: Tensor, name: str, goal: Tensor) -> Tensor:
    """The change of undone codes [n, L, D] that brings an attribute to its goal [n], as its reader has it."""
    away = (goal - _value(known, v, name)) / known.about[name]["sd"]
    change: Tensor = away[:, None, None] * known.tensors[name].double()
    return change


def _rows(path: Path, about: dict[str, str]) -> list[dict[str, float]]:
    """What was kept of the same work; nothing of a damaged file."""
    if not path.is_file():
        return []
    try:
        with safe_open(str(path), framework="pt") as file:
            kept = file.metadata() or {}
        names = kept.pop("names", "").split()
        return list(_as_rows(load_file(path)["rows"], names)) if kept == about else []
    except CorruptFileError:
        return []


def _as_rows(table: Tensor, names: Sequence[str]) -> Iterator[dict[str, float]]:
    for row in table.tolist():
        yield {name: value for name, value in zip(names, row, strict=True) if value == value}
