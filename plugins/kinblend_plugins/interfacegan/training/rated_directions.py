"""Directions of a latent space along which attributes change.

`mean` moves a code as the mean face moves when one attribute changes and the others stay, the way Rowland and Perrett
(1995) and Blanz and Vetter (1999, section 4.2) move faces; age goes along a curve, since a child of four differs from
one of eight in other ways than sixty from fifty. The colour of the skin stays as well, but for attributes that are
about it: the rated children are paler than the adults, and a dark face made younger by that would be half bleached.
`ridge` moves a code the shortest way that changes the reading of the attribute. `svm` takes the normal of the plane
that parts high from low values, as InterFaceGAN does (Shen et al. 2020).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from kinblend_plugins.interfacegan.training.rated_attributes import Attribute
from kinblend_plugins.interfacegan.training.regression import (
    choose_ridge,
    conditional_means,
    linear_basis,
    r_squared,
    ridge,
)
from kinblend_plugins.interfacegan.training.support_vectors import boundary, cross_validated

Method = Literal["mean", "ridge", "svm"]
KNOTS = (2.0, 5.0, 9.0, 14.0, 20.0, 30.0, 40.0, 50.0, 60.0, 68.0)  # years
GROWN = 20.0  # years; below it a strength leads through the years of childhood ever more slowly
STIFFNESS = 8.0  # of the curve through them, in faces
MAX_STRENGTHENED = 1.6
HELD_OUT = 5  # every fifth face is kept for the figures
DESCRIPTION = "attributes"  # key of the metadata


@dataclass(frozen=True)
class Directions:
    """What goes into `directions.safetensors`: tensors, and for each attribute what they mean.

    tensors: `NAME` float32 [L, D], the change by one standard deviation of the attribute. `NAME.reader` [L, D]: its
        product with a code, plus `bias`, is the attribute in standard deviations from the mean. `NAME.path` [K, L, D]
        for age: the change at each of `knots` years. `NAME.up` [L, D]: the change where it is for more, if another.
    about: NAME → plus, unit, mean, sd, bias, r2 (on faces held out), accuracy, method, knots; of svm r2, accuracy and
        chance are the boundary's own, cross-validated, and reader_r2 is the reader's; words: a label's two values in
        standard deviations from the mean; holds: attributes that
        this one takes along, and whether they are to stay as they were ("both") or to grow no further ("more").
    """

    tensors: dict[str, Tensor]
    about: dict[str, dict[str, Any]]

    @property
    def metadata(self) -> dict[str, str]:
        """As safetensors keeps it."""
        return {DESCRIPTION: json.dumps(self.about, sort_keys=True)}


def fit_directions(
    codes: Tensor,
    attributes: Sequence[Attribute],
    method: Method = "mean",
    progress: Callable[[str], None] | None = None,
    complexions: Tensor | None = None,
) -> Directions:
    """Directions and readers for all attributes. codes: float32 [n, L, D]; each attribute has n values.

    progress: told the figures of each. complexions: float64 [n, k], colours of the skin; only `mean` uses them.
    Raises `ModelError` where `svm` needs scikit-learn and it is missing.
    """
    log = progress or (lambda _: None)
    x = codes.flatten(1).double()
    centre = x.mean(0)
    tensors, about = {}, {}
    for attribute in attributes:
        reader, facts = _read(x - centre, attribute)
        facts["bias"] = -float(centre @ reader)
        tensors[f"{attribute.name}.reader"] = reader
        about[attribute.name] = facts
        if method == "svm":
            facts |= {"reader_r2": facts["r2"]} | cross_validated(x - centre, attribute)
        log(f"{attribute.name}: {_figures(facts)}")
    if method == "mean":
        changes = _mean_changes(x - centre, attributes, about, complexions)
        tensors |= _strengthened(changes, tensors)
    else:
        for attribute in attributes:
            normal = tensors[f"{attribute.name}.reader"] if method == "ridge" else boundary(x - centre, attribute)
            reading = tensors[f"{attribute.name}.reader"]
            tensors[attribute.name] = normal / (normal @ reading)
    for facts in about.values():
        facts["method"] = method
    shaped = {name: value.float().reshape(-1, *codes.shape[1:]).contiguous() for name, value in tensors.items()}
    return Directions({name: v if name.endswith(".path") else v[0] for name, v in shaped.items()}, about)


def _figures(facts: dict[str, Any]) -> str:
    """How good a direction is, for people."""
    figures = f"R² {facts['r2']:.2f}, accuracy {facts['accuracy']:.2f}"
    if "chance" not in facts:
        return f"{figures} on faces held out"
    chance, reader = f"chance {facts['chance']:.2f}", f"R² {facts['reader_r2']:.2f} of its reader"
    return f"{figures} ({chance}) of the boundary, cross-validated; {reader}"


def _read(x: Tensor, attribute: Attribute) -> tuple[Tensor, dict[str, Any]]:
    """The reader [m] of an attribute, and its figures on every fifth face, which chose and fitted nothing."""
    values = torch.tensor(attribute.values, dtype=torch.float64)
    mean, sd = float(values.mean()), float(values.std())
    y = (values - mean) / sd
    held = torch.arange(len(y)) % HELD_OUT == HELD_OUT - 1
    strength = choose_ridge(x[~held], y[~held])
    low, level = x[~held].mean(0), y[~held].mean()
    found = (x[held] - low) @ ridge(x[~held] - low, y[~held] - level, strength) + level
    middle = (y.min() + y.max()) / 2 if attribute.is_label else y[~held].median()
    right = ((found > middle) == (y[held] > middle)).double().mean()
    meaning = attribute.meaning
    facts: dict[str, Any] = {"plus": meaning.plus, "unit": meaning.unit, "mean": mean, "sd": sd}
    if meaning.neutral is not None:
        facts |= {"neutral": meaning.neutral, "neutral_from": meaning.neutral_from}
    if meaning.pose:
        facts["pose"] = True
    if meaning.words is not None:
        facts["words"] = {word: (value - mean) / sd for value, word in enumerate(meaning.words)}
    if meaning.none is not None:
        facts |= {"none": meaning.none, "unless": dict(meaning.unless)}
    facts |= {"r2": round(r_squared(y[held], found), 4), "accuracy": round(float(right), 4)}
    return ridge(x, y, strength), facts


def _mean_changes(
    x: Tensor, attributes: Sequence[Attribute], about: dict[str, dict[str, Any]], complexions: Tensor | None
) -> dict[str, Tensor]:
    """Each attribute's change while the others stay; the skin's colour as well, beside what is not about it."""
    joint = [attribute for attribute in attributes if attribute.meaning.none is None]
    changes = _joint_changes(x, joint, about, None)
    if complexions is not None:
        of_skin = {attribute.name for attribute in joint if attribute.meaning.of_skin}
        found = _joint_changes(x, joint, about, complexions)
        changes |= {name: change for name, change in found.items() if name.removesuffix(".path") not in of_skin}
    for attribute in attributes:
        if attribute.meaning.none is not None:
            changes[attribute.name] = _joint_changes(x, [*joint, attribute], about, complexions)[attribute.name]
    return changes


def _joint_changes(
    x: Tensor, attributes: Sequence[Attribute], about: dict[str, dict[str, Any]], held: Tensor | None
) -> dict[str, Tensor]:
    """Of one regression on all of them. held: [n, k], what else stays."""
    columns, groups, penalties = [torch.ones(len(x), 1, dtype=torch.float64)], [slice(0, 1)], [torch.zeros(1, 1)]
    for attribute in attributes:
        column, penalty = _design(attribute, about[attribute.name])
        columns.append(column)
        penalties.append(penalty)
        start = groups[-1].stop
        groups.append(slice(start, start + column.shape[1]))
    if held is not None:
        columns.append((held - held.mean(0)) / held.std(0))
        penalties.append(torch.zeros(held.shape[1], held.shape[1]))
    smooth: Tensor = torch.block_diag(*[p.double() for p in penalties])
    found = conditional_means(x, torch.cat(columns, dim=1), groups[1:], smooth)
    changes: dict[str, Tensor] = {}
    for attribute, group in zip(attributes, groups[1:], strict=True):
        changes |= _as_step(attribute, found[group], about[attribute.name])
    return changes


def _design(attribute: Attribute, facts: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """The columns of an attribute [n, k], and the penalty [k, k] on how they bend."""
    values = torch.tensor(attribute.values, dtype=torch.float64)
    if attribute.meaning.unit != "years":
        return ((values - facts["mean"]) / facts["sd"])[:, None], torch.zeros(1, 1)
    facts |= {"knots": list(KNOTS), "grown": GROWN}
    # The first knot is left out: it goes with the constant.
    bends = torch.diff(torch.eye(len(KNOTS), dtype=torch.float64), n=2, dim=0)[:, 1:]
    return linear_basis(values, KNOTS)[:, 1:], STIFFNESS * bends.T @ bends


def _as_step(attribute: Attribute, change: Tensor, facts: dict[str, Any]) -> dict[str, Tensor]:
    """The change by one standard deviation and, for years, the path it was taken from."""
    if attribute.meaning.unit != "years":
        return {attribute.name: change[0]}
    path = torch.cat([torch.zeros_like(change[:1]), change])
    ends = torch.tensor([facts["mean"] - facts["sd"], facts["mean"] + facts["sd"]], dtype=torch.float64)
    low, high = linear_basis(ends, KNOTS) @ path
    return {attribute.name: (high - low) / 2, f"{attribute.name}.path": path}


def _strengthened(changes: dict[str, Tensor], readers: dict[str, Tensor]) -> dict[str, Tensor]:
    """Mean changes made stronger. A mean keeps only what all faces share, so that the reader sees less than one
    standard deviation in one: half of what is missing, as a factor, is made up."""
    strong = {}
    for name, change in changes.items():
        whose = name.removesuffix(".path")
        seen = float(changes[whose] @ readers[f"{whose}.reader"])
        strong[name] = change * min(MAX_STRENGTHENED, max(seen, 1e-6) ** -0.5)
    return strong
