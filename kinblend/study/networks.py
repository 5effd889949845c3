"""The same questions, put to identity networks: they look at the very pictures that people saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.evaluation.bootstrap import over_families
from kinblend.evaluation.retrieval import scores
from kinblend.identity import load_identity
from kinblend.imaging import read_image
from kinblend.study.answers import Answer
from kinblend.study.folder import PHOTOGRAPHS, StudyFolder

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 16


def judge_by_network(
    folder: StudyFolder, answers: Sequence[Answer], identity: str, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """What a network makes of a study.

    answers: those that people's figures are made of; the network answers the same choices, by the mean cosine of a
        prediction to both parents.
    Returns {strategy: {"auc", "right", "cosine"}}: the chance that a prediction is more like the true child than like
    another couple's child of the same sex, the share of right choices, and the cosine to the true child; each an
    `Estimate` over couples as a dictionary, or None.
    Raises `UsageError` for an unknown network and `ModelError` without weights.
    """
    study, network = folder.study, load_identity(identity)
    if progress is not None:
        progress(f"{network.name} looks at {len(study.couples)} couples")
    couples = [couple.id for couple in study.couples]
    kinds: dict[tuple[str, str], list[Any]] = {
        ("", what): [read_image(folder.picture(couple, what)) for couple in couples] for what in PHOTOGRAPHS
    }
    kinds |= {
        (strategy, "predicted"): [read_image(folder.picture(couple, "predicted", strategy)) for couple in couples]
        for strategy in study.strategies
    }
    seen = {kind: _embed(network, pictures) for kind, pictures in kinds.items()}
    parents = (seen["", "father"] + seen["", "mother"]) / 2
    rivals = {couple.id: {rival.id for rival in study.rivals(couple)} for couple in study.couples}
    others = torch.tensor([[other in rivals[couple] for other in couples] for couple in couples])
    found = {}
    for strategy in study.strategies:
        predicted = seen[strategy, "predicted"]
        one = scores(predicted, seen["", "child"], others)
        right = _choices(predicted @ parents.T, couples, [row for row in answers if row.strategy == strategy])
        figures = {"auc": one.auc, "cosine": one.own}
        found[strategy] = {name: _estimate(values, couples) for name, values in figures.items()}
        found[strategy]["right"] = _estimate(torch.tensor(list(right.values())), list(right))
    return found


def _embed(network: Any, pictures: Sequence[Any]) -> Tensor:
    parts = [network.embed_faces(pictures[first : first + BATCH]) for first in range(0, len(pictures), BATCH)]
    return F.normalize(torch.cat(parts), dim=1)


def _choices(cosines: Tensor, couples: Sequence[str], rows: Sequence[Answer]) -> Mapping[str, float]:
    """The share of right choices of each couple. cosines: of predictions (rows) to the means of parents (columns)."""
    place = {couple: number for number, couple in enumerate(couples)}
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.task == "choose":
            own = cosines[:, place[row.couple]]
            best = max(row.shown.split(), key=lambda shown: float(own[place[shown]]))
            found.setdefault(row.couple, []).append(float(best == row.couple))
    return {couple: sum(values) / len(values) for couple, values in found.items()}


def _estimate(values: Tensor, couples: Sequence[str]) -> dict[str, Any] | None:
    found = over_families(values, couples) if len(values) else None
    return None if found is None else asdict(found)
