"""Directions from a generator's own pictures, labelled by networks: `kinblend train directions generated`.

Readers of the attributes are linear in codes with the last leaky ReLU undone; steps change one attribute and leave
the others (`gaussian`). Age is calibrated in years on what it is used for: couples' mean codes,
moved to random ages and sexes, rendered and looked at again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kinblend.inversion import SLOPE, undone
from kinblend_plugins.interfacegan.training.gaussian import conditional_steps, linear_reader, rising
from kinblend_plugins.interfacegan.training.rated_attributes import AttributeSpec
from kinblend_plugins.interfacegan.training.rated_directions import DESCRIPTION, GROWN, HELD_OUT, Directions
from kinblend_plugins.interfacegan.training.regression import r_squared

RIDGE = 200.0
YEARS = 10.0  # of a strength of one, among adults
SEX_SPREAD = 0.45  # of "male" from 0 to 1: the standard deviation where both are as frequent
WORDS = {"female": -1.1, "male": 1.1}  # in standard deviations
EDITED = 3.0  # weight of an edited picture beside a drawn one
READINGS = tuple(float(x) for x in range(-50, 111, 10))  # knots of age's curve, in years on the even scale
MIN_RISE = 0.25  # of the curve
COLOURS = ("hair", "skin", "redness")  # what the finer layers tell
FREE = {"gender": ("hair_length",)}  # what an attribute may take along
NO_BEARD_UNDER, NO_BEARD_BELOW = 16.0, 0.35  # years, and of "male"
ATTRIBUTE_SPECS: Mapping[str, AttributeSpec] = {
    "age": AttributeSpec("older", "years"),
    "gender": AttributeSpec("more male"),
    "smile": AttributeSpec("a broader smile", neutral_from="above", neutral=0.0),
    "mouth": AttributeSpec("mouth open", neutral_from="above", neutral=0.0),
    "glasses": AttributeSpec("glasses", neutral_from="above", neutral=0.0),
    "beard": AttributeSpec("more beard", unless={"age": NO_BEARD_UNDER, "gender": NO_BEARD_BELOW}),
    "hair": AttributeSpec("darker hair"),
    "hair_length": AttributeSpec("longer hair"),
    "skin": AttributeSpec("darker skin", of_skin=True),
    "redness": AttributeSpec("redder skin", of_skin=True),
    "hat": AttributeSpec("a hat", neutral_from="above", neutral=0.0),
    "yaw": AttributeSpec("turned to the picture's right", neutral=0.0, pose=True),
    "pitch": AttributeSpec("looking down", neutral_from="both", neutral=0.0, pose=True),
}
QUANTILES = {
    "smile": 0.25,
    "mouth": 0.25,
    "glasses": 0.5,
    "hat": 0.5,
    "pitch": 0.5,
}  # of all faces: the neutral value


@dataclass(frozen=True)
class Measurements:
    """Codes, and how their pictures look.

    coarse, fine: float32 [n, D], means of the undone codes over the layers of shape, and over the finer ones.
    values: attribute → float64 [n], NaN where a picture does not tell; age in years, gender from 0 (female) to 1.
    """

    coarse: Tensor
    fine: Tensor
    values: Mapping[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.coarse)


@dataclass(frozen=True)
class Layers:
    """How many layers a code has, how many of them shape, and which ones colour tells: first and last."""

    count: int
    shape: int
    colour: tuple[int, int]


def pooled(codes: Tensor, layers: Layers) -> tuple[Tensor, Tensor]:
    """Codes [n, L, D] → means of the undone codes over the layers of shape, and over the others: [n, D] each."""
    parts = codes[:, : layers.shape], codes[:, layers.shape :]
    coarse, fine = (undone(part).mean(1) for part in parts)
    return coarse, fine


def even(years: Tensor) -> Tensor:
    """Years on a scale on which childhood's are the longer, the earlier they are."""
    return torch.where(years < GROWN, GROWN * (1 + (years.clamp_min(1) / GROWN).log()), years)


def uneven(values: Tensor) -> Tensor:
    """And back."""
    return torch.where(values < GROWN, GROWN * (values / GROWN - 1).exp(), values)


def fit_generated(
    drawn: Measurements,
    edited: Measurements,
    covariance: Tensor,
    layers: Layers,
    progress: Callable[[str], None] | None = None,
) -> Directions:
    """Directions, readers and age's curve.

    drawn: of the generator as it is. edited: couples moved to random ages and sexes; only age and gender are used,
    and the curve needs at least 40. covariance: float64 [D, D], of undone codes. progress: told the figures.
    """
    log = progress or (lambda _: None)
    names = [name for name in ATTRIBUTE_SPECS if name in drawn.values]
    read = {name: _reader(name, drawn, edited, log) for name in names}
    coarse = torch.stack([read[name].coarse for name in names], 1)
    tensors: dict[str, Tensor] = {}
    for name in names:
        kept = [i for i, other in enumerate(names) if other not in FREE.get(name, ())]
        step = conditional_steps(coarse[:, kept], covariance)[:, kept.index(names.index(name))]
        tensors[name] = _laid(step * read[name].facts["sd"], name, layers)
        tensors[f"{name}.reader"] = read[name].laid(layers)
    about = {name: read[name].facts for name in names}
    if len(edited) >= 2 * HELD_OUT * 4:
        about["age"]["curve"] = _curve(read["age"], read["gender"], edited)
    return Directions({name: tensor.float().contiguous() for name, tensor in tensors.items()}, about)


def metadata(found: Directions) -> dict[str, str]:
    """As safetensors keeps it."""
    return {DESCRIPTION: json.dumps(found.about, sort_keys=True), "slope": str(SLOPE)}


@dataclass(frozen=True)
class _Reader:
    """coarse, fine: float64 [D]; their products with both means, plus bias · sd + mean, are the attribute."""

    coarse: Tensor
    fine: Tensor
    facts: dict[str, Any]

    def value(self, looks: Measurements) -> Tensor:
        """The attribute of codes: float64 [n]."""
        score = looks.coarse.double() @ self.coarse + looks.fine.double() @ self.fine
        value: Tensor = score + self.facts["bias"] * self.facts["sd"] + self.facts["mean"]
        return value

    def laid(self, layers: Layers) -> Tensor:
        """As a file keeps it: [L, D], giving standard deviations."""
        rows = [self.coarse / layers.shape] * layers.shape
        rows += [self.fine / (layers.count - layers.shape)] * (layers.count - layers.shape)
        reader: Tensor = torch.stack(rows) / self.facts["sd"]
        return reader


def _reader(name: str, drawn: Measurements, edited: Measurements, log: Callable[[str], None]) -> _Reader:
    """A reader, and its figures on every fifth of the drawn pictures, which fitted nothing of it."""
    both = name in ("age", "gender") and len(edited) > 0
    parts = [drawn, edited] if both else [drawn]
    x = torch.cat([torch.cat([part.coarse, part.fine], 1).double() for part in parts])
    y = torch.cat([_scaled(name, part.values[name]) for part in parts])
    weights = torch.cat([torch.full((len(part),), w) for part, w in zip(parts, (1.0, EDITED), strict=False)]).double()
    told = ~y.isnan()
    x, y, weights = x[told], y[told], weights[told]
    held = (torch.arange(len(y)) % HELD_OUT == HELD_OUT - 1) & (weights == 1)
    trial, level = linear_reader(x[~held], y[~held], RIDGE, weights[~held])
    found = x[held] @ trial + level
    facts = _facts(name, y[weights == 1]) | {"r2": round(r_squared(y[held], found), 4)}
    facts["accuracy"] = round(float(((found > y[held].median()) == (y[held] > y[held].median())).double().mean()), 4)
    log(f"{name}: R² {facts['r2']:.2f} on pictures held out")
    weight, level = linear_reader(x, y, RIDGE, weights)
    facts["bias"] = (level - facts["mean"]) / facts["sd"]
    dim = drawn.coarse.shape[1]
    return _Reader(weight[:dim], weight[dim:], facts)


def _scaled(name: str, values: Tensor) -> Tensor:
    return even(values.double()) if name == "age" else values.double()


def _facts(name: str, values: Tensor) -> dict[str, Any]:
    meaning = ATTRIBUTE_SPECS[name]
    facts: dict[str, Any] = {"plus": meaning.plus, "unit": meaning.unit, "method": "conditional"}
    facts |= {"mean": float(values.mean()), "sd": float(values.std()), "source": "kinblend"}
    if name == "age":
        facts |= {"sd": YEARS, "calibrated": True}
    if name == "gender":
        facts |= {"mean": 0.5, "sd": SEX_SPREAD, "calibrated": True, "words": WORDS}
    if meaning.neutral is not None:
        neutral = float(values.quantile(QUANTILES[name])) if name in QUANTILES else meaning.neutral
        facts |= {"neutral": neutral, "neutral_from": meaning.neutral_from}
    if meaning.pose:
        facts["pose"] = True
    if meaning.unless:
        facts |= {"none": float(values.quantile(0.3)), "unless": dict(meaning.unless)}
    return facts


def _laid(step: Tensor, name: str, layers: Layers) -> Tensor:
    """A step [D] in the layers where the attribute is moved: [L, D]."""
    first, last = layers.colour if name in COLOURS else (0, layers.shape - 1)
    whole = torch.zeros(layers.count, len(step), dtype=step.dtype)
    whole[first : last + 1] = step
    return whole


def _curve(age: _Reader, gender: _Reader, edited: Measurements) -> dict[str, Any]:
    """What age's reading means in years, for women and for men: as an editor reads it."""
    reading, seen, male = age.value(edited), even(edited.values["age"].double()), gender.value(edited)
    at = torch.tensor(READINGS, dtype=torch.float64)
    curves = {}
    for end, rows in (("low", male < 0.5), ("high", male >= 0.5)):
        curves[end] = uneven(rising(reading[rows], seen[rows], at, MIN_RISE)).tolist()
    deviations = ((at - age.facts["mean"]) / age.facts["sd"]).tolist()
    return {"at": deviations, **curves, "beside": "gender", "ends": [0.0, 1.0]}
