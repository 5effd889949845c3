"""What the answers say: the share of right choices, mean ratings, and who was not attentive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import compress
from typing import TYPE_CHECKING, Any

from kinblend.errors import InputError
from kinblend.study.answers import CONSENT, Answer
from kinblend.study.design import HIGHEST, KNOWN, passes
from kinblend.study.folder import UNRELATED, Study

if TYPE_CHECKING:
    from kinblend.evaluation.bootstrap import CrossedEstimate

PASSED = 0.75  # share of catch trials that an attentive participant passes


def analyze(study: Study, answers: Sequence[Answer], passed: float = PASSED, seed: int = 0) -> dict[str, Any]:
    """Figures by strategy.

    answers: of `read_answers`, of this study. passed: whoever passes a smaller share of the catch trials, or saw none
        though the study has some, is left out. seed: of the bootstrap.
    Returns {"participants", "excluded": [{"participant", "reason"}], "known": answers left out because a face was
    recognised, "chance", "baseline", "right": {strategy: {"mean", "less_baseline"}},
    "rating": {strategy: {"mean", "less_baseline", "less_unrelated"}}}; each figure is a `CrossedEstimate` as a
    dictionary, or None. "rating" has "unrelated" beside the strategies: another couple's prediction.
    Raises `InputError` where answers are of another study, or nobody is left.
    """
    _check(study, answers)
    excluded = exclusions(study, answers, passed)
    counted = used_answers(answers, excluded)
    if not counted:
        raise InputError("no answers are left to analyse" + (": all participants are excluded" if excluded else ""))
    known = [row for row in answers if row.answer == KNOWN and row.participant not in excluded]
    return {
        "participants": len({row.participant for row in counted}),
        "excluded": [{"participant": who, "reason": why} for who, why in excluded.items()],
        "known": len(known),
        "chance": 1 / study.design.choices,
        "baseline": study.baseline,
        "right": _right(study, [row for row in counted if row.task == "choose"], seed),
        "rating": _rating(study, [row for row in counted if row.task == "rate"], seed),
    }


def exclusions(study: Study, answers: Sequence[Answer], passed: float = PASSED) -> dict[str, str]:
    """Participants that are left out, with the reason."""
    found: dict[str, str] = {}
    for participant in sorted({row.participant for row in answers}):
        rows = [row for row in answers if row.participant == participant and row.task != CONSENT]
        catches = [row for row in rows if row.catch and row.answer != KNOWN]
        right = sum(passes(row.catch, row.couple, row.answer) for row in catches)
        if rows and study.design.catch_trials and not catches:
            found[participant] = "answered no catch trial"
        elif catches and right < passed * len(catches):
            found[participant] = f"passed {right} of {len(catches)} catch trials"
    return found


def used_answers(answers: Sequence[Answer], excluded: Mapping[str, str]) -> list[Answer]:
    """Those that figures are made of: no consent, no catch trial, no recognised face, nobody who is excluded."""
    return [
        row
        for row in answers
        if row.task != CONSENT and not row.catch and row.answer != KNOWN and row.participant not in excluded
    ]


def _check(study: Study, answers: Sequence[Answer]) -> None:
    couples = {couple.id for couple in study.couples}
    for row in answers:
        if row.task != CONSENT and (row.couple not in couples or row.strategy not in study.strategies):
            raise InputError(
                f"the answers know a couple {row.couple!r:.20} and a strategy {row.strategy!r:.60}, which this study "
                "has not; give the answers of this study"
            )


def _right(study: Study, rows: Sequence[Answer], seed: int) -> dict[str, Any]:
    values = [float(row.answer == row.couple) for row in rows]
    conditions = [row.strategy for row in rows]
    return _by_condition(study.strategies, values, conditions, rows, {"less_baseline": study.baseline}, (0, 1), seed)


def _rating(study: Study, rows: Sequence[Answer], seed: int) -> dict[str, Any]:
    values = [float(row.answer) for row in rows]
    conditions = [UNRELATED if row.unrelated else row.strategy for row in rows]
    compared = {"less_baseline": study.baseline, "less_unrelated": UNRELATED}
    names = [*study.strategies, UNRELATED]
    return _by_condition(names, values, conditions, rows, compared, (0, HIGHEST), seed)


def _by_condition(
    names: Sequence[str],
    values: Sequence[float],
    conditions: Sequence[str],
    rows: Sequence[Answer],
    compared: Mapping[str, str],
    bounds: tuple[float, float],
    seed: int,
) -> dict[str, Any]:
    """Of each condition its mean, and its difference to those it is compared with; only of those with answers."""
    found: dict[str, Any] = {}
    for name in names:
        mine = _Sample(values, rows, [one == name for one in conditions])
        if not mine.rows:
            continue
        found[name] = {"mean": mine.mean(bounds, seed)}
        for key, other in compared.items():
            if other != name:
                both = _Sample(values, rows, [one in (name, other) for one in conditions])
                sides = [one == name for one in conditions if one in (name, other)]
                found[name][key] = both.difference(sides, seed)
    return found


class _Sample:
    """Some of the answers, as values."""

    def __init__(self, values: Sequence[float], rows: Sequence[Answer], used: Sequence[bool]) -> None:
        self.values = list(compress(values, used))
        self.rows = list(compress(rows, used))
        self.participants = [row.participant for row in self.rows]
        self.couples = [row.couple for row in self.rows]

    def mean(self, bounds: tuple[float, float], seed: int) -> dict[str, Any] | None:
        import torch

        from kinblend.evaluation.bootstrap import over_participants_and_couples

        return _dict(
            over_participants_and_couples(torch.tensor(self.values), self.participants, self.couples, bounds, seed)
        )

    def difference(self, sides: Sequence[bool], seed: int) -> dict[str, Any] | None:
        import torch

        from kinblend.evaluation.bootstrap import paired_difference

        values, side = torch.tensor(self.values), torch.tensor(sides)
        return _dict(paired_difference(values, side, self.participants, self.couples, seed))


def _dict(estimate: CrossedEstimate | None) -> dict[str, Any] | None:
    return None if estimate is None else asdict(estimate)
