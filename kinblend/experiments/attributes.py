"""The first experiment: attributes are read from codes, the parents' blend is moved along what reads them, and its
attributes are compared with the true child's, beside what other strategies predict.

Photographs → aligned faces → codes → one strategy's blend → feature models (`fitting`) → directions → strengths
(`strengths`) → errors of attributes (`children`) and what is seen without models (`observations`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kinblend.errors import InputError
from kinblend.experiments.children import Couples, Group, Scale
from kinblend.experiments.directions import KINDS, Directions, Kind, directions_of
from kinblend.experiments.feature_models import NumberModel
from kinblend.experiments.fitting import FeatureModels, Source, Tell, choose_source, fit_models
from kinblend.experiments.looking import Looker
from kinblend.experiments.material import Material
from kinblend.experiments.observations import embed, observe, spread
from kinblend.experiments.strengths import mean_of_others

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.interfaces import Blender
    from kinblend.pipeline import Engine

MOVES = (-2.0, -1.0, 0.0, 1.0, 2.0)  # strengths that are shown of each attribute
SHOWN = 6  # attributes that are shown moved
MANNERS: Mapping[Kind, str] = {"weights": "along weights", "pattern": "along patterns"}


@dataclass(frozen=True)
class Plan:
    """What is done.

    base: the strategy whose children are edited. strategies: those that are compared, by name. source: what models
    are fitted to; None: samples of the generator where it draws any. samples: how many. features: attributes that
    strengths are sought for, at most; least: R² of their models on faces held out. looks: pictures for each search.
    reach: of strengths, in standard deviations. seed: of all that is drawn."""

    base: tuple[str, Blender]
    strategies: Mapping[str, Blender] = field(default_factory=dict)
    source: Source | None = None
    samples: int = 1500
    features: int = 8
    least: float = 0.2
    looks: int = 16
    reach: float = 3.0
    seed: int = 0


@dataclass(frozen=True)
class Findings:
    """report: all figures, as JSON has them. couples: whom they are about. groups: pictures of each kind, as many as
    there are couples. moves: attribute → a child with less and more of it. directions: by kind. sought: the group of
    children whose strengths were sought best. shown: the couple that steps and moves show, one of median error."""

    report: Mapping[str, Any]
    couples: Couples
    groups: Mapping[str, Group]
    moves: Mapping[str, Sequence[Image]]
    directions: Mapping[Kind, Directions]
    sought: str
    shown: int


def run_attributes(
    engine: Engine, material: Material, analysers: Sequence[str], cache: Path, plan: Plan, tell: Tell
) -> Findings:
    """The whole experiment. cache: a folder for what was seen, from which it goes on. tell: of progress.

    Raises `InputError` where no attribute can be read from codes, or there is too little to fit to.
    """
    with engine.pool:
        looker = Looker(engine.backbone, analysers, cache)
        source = choose_source(engine.backbone, plan.source)
        models = fit_models(engine.backbone, looker, material, source, plan.samples, plan.seed, tell)
        chosen = models.chosen(plan.features, plan.least)
        if not chosen:
            raise InputError(
                f"no attribute is read from codes with R² {plan.least:g}; fit to more faces, or ask less"
            )
        names = models.columns.names
        scale = Scale(models.columns, models.spreads(), [names.index(model.name) for model in chosen])
        couples = Couples(engine, looker, material, scale, plan.seed)
        directions = {kind: directions_of(chosen, models.basis, models.components, kind) for kind in KINDS}
        groups, searches = _groups(couples, plan, directions, tell)
        best = min(KINDS, key=lambda kind: sum(search["after"] for search in searches[kind]))
        shown = _median(couples.errors(groups[plan.base[0]].values)["chosen"])
        moves = dict(_moves(couples, groups[plan.base[0]], shown, directions[best], [model.name for model in chosen]))
        report = _report(models, chosen, couples, groups, searches, plan, looker)
        sought = f"{plan.base[0]}, sought {MANNERS[best]}"
        return Findings(report, couples, groups, moves, directions, sought, shown)


def _median(errors: Tensor) -> int:
    """Which couple lies in the middle."""
    return int(errors.nan_to_num(torch.inf).argsort(stable=True)[len(errors) // 2])


def _groups(
    couples: Couples, plan: Plan, directions: Mapping[Kind, Directions], tell: Tell
) -> tuple[dict[str, Group], dict[Kind, list[dict[str, Any]]]]:
    """Children of every kind, by name, and what each search found."""
    name, blender = plan.base
    base = couples.blended(name, blender, neutral=False)
    assert base is not None and base.codes is not None
    groups = {name: base}
    searches: dict[Kind, list[dict[str, Any]]] = {}
    for kind, found in directions.items():
        sought = []
        for one in couples.seek(base.codes, found, plan.looks, plan.reach):
            sought.append(one)
            tell(f"strengths {MANNERS[kind]}", len(sought), len(couples.rows))
        strengths = torch.stack([one.strengths for one in sought])
        searches[kind] = [
            {"strengths": dict(zip(found.names, map(float, one.strengths), strict=True)), **_errors(one)}
            for one in sought
        ]
        for manner, values in (("sought", strengths), ("others'", mean_of_others(strengths, couples.families))):
            codes = [couples.moved(code, found, row) for code, row in zip(base.codes, values, strict=True)]
            label = f"{name}, {manner} {MANNERS[kind]}"
            groups[label] = couples.of_codes(label, torch.stack(codes), told="all" if manner == "sought" else "")
    for number, (label, group) in enumerate(_predictions(couples, plan), start=1):
        groups[label] = group
        tell("strategies", number, 2 * len(plan.strategies) + 1)
    for role in ("father", "mother", "child"):
        groups[f"{role}'s own code"] = couples.own_code(role)
    return groups, searches


def _errors(one: Any) -> dict[str, float]:
    return {"before": one.before, "after": one.after, "looks": one.looks}


def _predictions(couples: Couples, plan: Plan) -> Iterator[tuple[str, Group]]:
    """Children as they are made now: the parents neutral, with the true child's age and sex and without."""
    name, blender = plan.base
    for label, strategy in {name: blender, **plan.strategies}.items():
        for aged in (False, True):
            if not aged and label == name:
                continue  # of the base there is one already
            title = f"{label}, age and sex" if aged else f"{label}, neutral"
            if (group := couples.blended(title, strategy, True, aged)) is not None:
                yield title, group


def _moves(
    couples: Couples, base: Group, shown: int, directions: Directions, names: Sequence[str]
) -> Iterator[tuple[str, list[Image]]]:
    assert base.codes is not None
    for at, name in enumerate(names[:SHOWN]):
        codes = []
        for strength in MOVES:
            strengths = torch.zeros(len(names))
            strengths[at] = strength
            codes.append(couples.moved(base.codes[shown], directions, strengths))
        yield name, couples.looker.draw(torch.stack(codes))


def _report(
    models: FeatureModels,
    chosen: Sequence[NumberModel],
    couples: Couples,
    groups: Mapping[str, Group],
    searches: Mapping[Kind, Sequence[Mapping[str, Any]]],
    plan: Plan,
    looker: Looker,
) -> dict[str, Any]:
    base = groups[plan.base[0]]
    return {
        "backbone": looker.backbone.name,
        "analysers": looker.names,
        "pictures": couples.material.seen_in,
        "families": couples.families,
        "rejected": list(couples.material.rejected),
        "plan": {
            "base": plan.base[0],
            "strategies": list(plan.strategies),
            **{name: getattr(plan, name) for name in ("features", "least", "looks", "reach", "seed")},
        },
        "models": {
            "fitted_to": models.source,
            "fitted": models.fitted,
            "held_out": models.held_out,
            "people": models.people,
            "tests": [_test(test) for test in models.tests],
        },
        "chosen": [model.name for model in chosen],
        "errors": list(_error_rows(couples, groups, base)),
        "searches": {kind: list(found) for kind, found in searches.items()},
        "couples": [
            {"family": family, "age": couples.age(at), "sex": couples.sex(at)}
            for at, family in enumerate(couples.families)
        ],
        "observations": list(_observations(couples, groups)),
    }


def _test(test: Any) -> dict[str, Any]:
    own, people = (None if one is None else asdict(one) for one in (test.own, test.people))
    return {"name": test.model.name, "penalty": test.model.penalty, "held_out": own, "people": people}


def _error_rows(couples: Couples, groups: Mapping[str, Group], base: Group) -> Iterator[dict[str, Any]]:
    """A row for each kind of children and for each reference."""
    before = couples.errors(base.values)

    def row(name: str, told: str, found: Mapping[str, Tensor], reference: bool) -> dict[str, Any]:
        figures = {}
        for part, values in found.items():
            figures[part] = couples.estimate(values)
            figures[f"{part}_less_base"] = couples.estimate(values - before[part])
        plain = {key: None if one is None else asdict(one) for key, one in figures.items()}
        each = {"each": [float(value) for value in found["chosen"]]}
        return {"name": name, "told": told, "reference": reference, **plain, **each}

    for name, group in groups.items():
        if not name.startswith(("father", "mother")):
            yield row(name, group.told, couples.errors(group.values), reference=name == "child's own code")
    for name, values in couples.references():
        yield row(name, "", couples.errors(values), reference=True)
    yield row("an unrelated child", "", couples.unrelated(), reference=True)


def _observations(couples: Couples, groups: Mapping[str, Group]) -> Iterator[dict[str, Any]]:
    """Face size, sharpness, spread, and whether the true child is told apart, of every kind of pictures, and of the
    real people."""
    what = "photographs" if couples.material.photographs else "codes"
    real = {f"{group.name}s' {what}": group for group in (couples.father, couples.mother)}
    real["true children's " + what] = couples.child
    for name, group in {**real, **groups}.items():
        seen = [observe(picture) for picture in group.pictures]
        values = {key: torch.tensor([one[key] for one in seen]) for key in ("face size", "sharpness")}
        if len(group.pictures) > 1:
            embeddings = embed(group.pictures)
            values["spread"] = spread(embeddings)
            if group is not couples.child:
                values["told apart"] = couples.told_apart(embeddings)
        figures = {key: couples.estimate(found) for key, found in values.items()}
        yield {"name": name, **{key: one and asdict(one) for key, one in figures.items()}}
