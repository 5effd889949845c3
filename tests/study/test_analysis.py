"""Figures of answers: what was planted is found, within intervals that hold it as often as they say."""

import json
import math
import random
from pathlib import Path

import pytest
import torch
from plugin_site import here
from toy_study import STRATEGIES, Crowd, study, write_toy

from kinblend.errors import InputError
from kinblend.evaluation.bootstrap import over_participants_and_couples, paired_difference, t_quantile
from kinblend.study import Answer, analyze, read_answers
from kinblend.study.analysis import exclusions, used_answers
from kinblend.study.answers import AnswerFile
from kinblend.study.folder import UNRELATED
from kinblend.study.report import table, write_results

AVERAGE, FIRST, SECOND = STRATEGIES
SKILL = {AVERAGE: 0.2, FIRST: 0.5, SECOND: 0.2}
RATING = {AVERAGE: 5.0, FIRST: 6.5, SECOND: 5.0, UNRELATED: 3.0}


def holds(estimate: dict, truth: float) -> bool:
    return estimate["low"] <= truth <= estimate["high"]


def test_planted_effects_are_found() -> None:
    made = study(couples=40, sexes="m", choose_trials=20, rating_trials=20)
    report = analyze(made, Crowd(made, SKILL, RATING, spread=0.05, seed=5).answers(60))
    right, rating = report["right"], report["rating"]
    assert (report["participants"], report["excluded"], report["chance"]) == (60, [], 0.25)
    assert all(holds(right[name]["mean"], SKILL[name] + (1 - SKILL[name]) / 4) for name in STRATEGIES)
    assert all(holds(rating[name]["mean"], RATING[name]) for name in RATING)
    assert holds(right[FIRST]["less_baseline"], 0.3 * 0.75) and right[FIRST]["less_baseline"]["low"] > 0
    assert holds(right[SECOND]["less_baseline"], 0) and "less_baseline" not in right[AVERAGE]
    assert holds(rating[FIRST]["less_baseline"], 1.5) and holds(rating[FIRST]["less_unrelated"], 3.5)
    assert holds(rating[SECOND]["less_baseline"], 0) and UNRELATED not in right


@pytest.mark.parametrize(("participants", "couples", "spread"), [(12, 40, 0.15), (40, 12, 0.15), (24, 24, 0.0)])
def test_intervals_hold_the_truth_about_as_often_as_they_say(participants: int, couples: int, spread: float) -> None:
    """Participants and couples that differ, few of one or of the other, and answers that differ by chance alone: of
    means and of paired differences."""
    held = {"mean": 0, "difference": 0}
    draws = 300
    for draw in range(draws):
        numbers = random.Random(draw)
        people = [numbers.gauss(0, spread) for _ in range(participants)]
        pairs = [numbers.gauss(0, spread) for _ in range(couples)]
        rows = [
            (who, whom, (who + whom + draw) % 2)
            for who in range(participants)
            for whom in numbers.sample(range(couples), min(10, couples))
        ]
        values = torch.tensor(
            [float(numbers.random() < 0.5 + 0.1 * side + people[who] + pairs[whom]) for who, whom, side in rows]
        )
        names = [[str(row[factor]) for row in rows] for factor in (0, 1)]
        side = torch.tensor([row[2] for row in rows], dtype=torch.bool)
        ours = [[name for name, own in zip(one, side.tolist(), strict=True) if own] for one in names]
        mean = over_participants_and_couples(values[side], *ours, seed=draw)
        difference = paired_difference(values, side, *names, seed=draw)
        held["mean"] += mean.low <= 0.6 <= mean.high
        held["difference"] += difference.low <= 0.1 <= difference.high
    for name, count in held.items():
        assert 0.91 <= count / draws <= 0.995, (name, count / draws)


def test_an_interval_over_answers_alone_would_be_too_narrow() -> None:
    """Else nothing above would tell whether participants and couples are drawn at all."""
    numbers = random.Random(1)
    people = [numbers.gauss(0, 0.2) for _ in range(10)]
    rows = [(who, whom) for who in range(10) for whom in range(40)]
    values = torch.tensor([float(numbers.random() < 0.5 + people[who]) for who, _ in rows])
    found = over_participants_and_couples(values, *([str(row[n]) for row in rows] for n in (0, 1)))
    alone = 1.96 * float(values.std()) / len(values) ** 0.5
    assert (found.high - found.low) / 2 > 2 * alone


def test_a_difference_is_paired() -> None:
    """What participants and couples have in common on both sides does not widen it."""
    numbers = random.Random(2)
    people, pairs = ([numbers.gauss(0, 3) for _ in range(20)] for _ in range(2))
    rows = [(who, whom, (who + whom) % 2) for who in range(20) for whom in range(20)]
    values = torch.tensor([people[who] + pairs[whom] + side + numbers.gauss(0, 0.5) for who, whom, side in rows])
    names = [[str(row[n]) for row in rows] for n in (0, 1)]
    difference = paired_difference(values, torch.tensor([bool(row[2]) for row in rows]), *names)
    mean = over_participants_and_couples(values, *names)
    assert difference.low <= 1 <= difference.high
    assert difference.high - difference.low < 0.3 < 2 < mean.high - mean.low


def test_a_difference_is_that_of_least_squares() -> None:
    """Of an unbalanced design, against torch's own solver."""
    numbers, generator = random.Random(4), torch.Generator().manual_seed(4)
    rows = [(numbers.randrange(6), numbers.randrange(9), numbers.random() < 0.3) for _ in range(80)]
    values = torch.randn(80, generator=generator, dtype=torch.float64)
    design = torch.zeros(80, 16, dtype=torch.float64)
    for place, (who, whom, side) in enumerate(rows):
        design[place, 0] = side
        design[place, 1 + who] = design[place, 7 + whom] = 1
    expected = torch.linalg.lstsq(design, values[:, None], driver="gelsd").solution[0, 0]
    names = [[str(row[n]) for row in rows] for n in (0, 1)]
    found = paired_difference(values, torch.tensor([row[2] for row in rows]), *names)
    assert found.mean == pytest.approx(float(expected), abs=1e-6)


def test_what_cannot_be_paired_has_no_interval() -> None:
    """Each participant saw one side only, of couples that nobody else saw."""
    side = torch.tensor([True, True, False, False])
    found = paired_difference(torch.tensor([3.0, 4, 1, 2]), side, list("aabb"), list("wxyz"))
    assert (found.mean, found.low, found.high) == (2, None, None)
    assert paired_difference(torch.ones(2), torch.tensor([True, True]), list("ab"), list("xy")) is None


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 9, 19, 30, 100])
@pytest.mark.parametrize("share", [0.9, 0.95, 0.975, 0.99])
def test_quantiles_of_students_t(freedom: int, share: float) -> None:
    """Against the distribution itself, integrated: density by its formula, by the trapezoidal rule."""
    found = t_quantile(share, freedom)
    x = torch.linspace(0, found, 20_001, dtype=torch.float64)
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    inside = float(torch.trapezoid(constant * (1 + x**2 / freedom) ** (-(freedom + 1) / 2), x))
    assert inside + 0.5 == pytest.approx(share, abs=4e-4)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([("a", "x", 1.0), ("a", "y", 0.0)], "one participant"),
        ([("a", "x", 1.0), ("b", "x", 0.0)], "one couple"),
        ([("a", "x", 1.0), ("b", "y", 1.0)], "all alike"),
    ],
)
def test_where_nothing_can_be_said_there_is_no_interval(rows: list, why: str) -> None:
    values, who, whom = torch.tensor([row[2] for row in rows]), [row[0] for row in rows], [row[1] for row in rows]
    found = over_participants_and_couples(values, who, whom)
    assert found is not None and found.low is None and found.high is None, why
    assert over_participants_and_couples(values[:0], [], []) is None
    assert json.loads(json.dumps(vars(found)))["low"] is None


def test_bounds_are_kept() -> None:
    values = torch.tensor([1.0] * 19 + [0.0])
    names = [[str(row % 5) for row in range(20)], [str(row % 4) for row in range(20)]]
    found = over_participants_and_couples(values, *names, bounds=(0, 1))
    assert found.high == 1 and found.low > 0


@pytest.mark.parametrize("careless", [0.0, 0.3, 1.0])
def test_who_guesses_everywhere_is_named_and_left_out(careless: float) -> None:
    made = study(couples=40, sexes="m", choose_trials=20, rating_trials=20, catch_trials=3)
    crowd = Crowd(made, SKILL, RATING, careless=careless, seed=4)
    answers = crowd.answers(40)
    found = exclusions(made, answers)
    attentive = Crowd(made, SKILL, RATING, seed=3)
    assert exclusions(made, attentive.answers(40)) == {}
    assert abs(len(found) - 40 * careless) <= (8 if 0 < careless < 1 else 1)
    for reason in found.values():
        passed, of = map(int, (reason.split()[1], reason.split()[3]))
        assert passed / of < 0.75 and of == 9
    if careless < 1:
        report = analyze(made, answers)
        assert report["participants"] + len(report["excluded"]) == 40
        assert {one["participant"] for one in report["excluded"]} == set(found)
        assert holds(report["right"][FIRST]["mean"], 0.5 + 0.5 / 4)
    else:
        with pytest.raises(InputError, match="excluded"):
            analyze(made, answers)


def test_who_saw_no_catch_trial_is_left_out_and_who_only_agreed_is_nobody() -> None:
    made = study()
    consent = Answer("a" * 16, 0, 0, "consent", "", "", "", "", "x")
    one = Answer("b" * 16, 1, 1, "choose", "", "c000", AVERAGE, "c000 c002 c004 c006", "c000")
    assert exclusions(made, [consent, one]) == {"b" * 16: "answered no catch trial"}
    assert exclusions(study(catch_trials=0), [consent, one]) == {}


def test_recognised_faces_are_counted_and_not_used() -> None:
    made = study(couples=16, sexes="m")
    answers = Crowd(made, SKILL, RATING).answers(10)
    known = [
        Answer(**vars(row) | {"answer": "known"}) if not row.catch and row.trial % 3 == 1 else row for row in answers
    ]
    report = analyze(made, known)
    count = sum(row.answer == "known" for row in known)
    assert report["known"] == count > 0
    used = used_answers(known, {})
    assert len(used) == len(used_answers(answers, {})) - count


def test_answers_of_another_study_are_refused() -> None:
    made = study(couples=16, sexes="m")
    answers = Crowd(made, SKILL, RATING).answers(4)
    with pytest.raises(InputError, match="this study"):
        analyze(study(couples=8, sexes="m"), answers)
    with pytest.raises(InputError, match="this study"):
        analyze(study(couples=16, sexes="m", strategies=(AVERAGE, "other")), answers)
    with pytest.raises(InputError, match="no answers"):
        analyze(made, [row for row in answers if row.task == "consent"])


def answered(folder: Path, participants: int = 20, **crowd: float) -> Path:
    made = study(couples=16, sexes="mf", choose_trials=6, rating_trials=6)
    write_toy(folder, made)
    file = AnswerFile(folder / "answers.csv")
    rows = Crowd(made, SKILL, RATING, seed=1, **crowd).answers(participants)
    for row in rows:
        file.add(row)
    assert read_answers(folder / "answers.csv") == rows
    return folder


def test_the_command_prints_a_table_json_and_writes_both(tmp_path: Path) -> None:
    folder = answered(tmp_path / "study", careless=0.2)
    code, out, error = here("study", "analyze", folder, "--out", tmp_path / "out")
    assert code == 0 and [line.split("\t")[0] for line in out.splitlines()] == [*STRATEGIES, UNRELATED]
    assert "excluded: " in error and "catch trials" in error and "chance 0.250" in error
    assert (tmp_path / "out" / "study.csv").read_text().count("\npeople,") >= 12
    assert (tmp_path / "out" / "study.png").read_bytes()[:4] == b"\x89PNG"
    code, out, _ = here("study", "analyze", folder, "--json", "--quiet")
    report = json.loads(out)
    assert code == 0 and report["right"][FIRST]["mean"]["participants"] == report["participants"]
    assert report["rating"][FIRST]["less_unrelated"]["mean"] > 1


def test_without_matplotlib_there_is_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    report = analyze(study(), Crowd(study(), SKILL, RATING).answers(8))
    assert [path.name for path in write_results(tmp_path, report)] == ["study.csv"]


def test_no_answers_is_said_in_one_line(tmp_path: Path) -> None:
    folder = write_toy(tmp_path)
    code, out, error = here("study", "analyze", folder)
    assert (code, out, error.count("\n")) == (3, "", 1) and "nobody has answered" in error


def test_one_participant_has_a_table_without_intervals(tmp_path: Path) -> None:
    made = study()
    report = analyze(made, Crowd(made, SKILL, RATING).answers(1))
    head, rows = table(report)
    assert all(len(row) == len(head) for row in rows) and "[–]" in rows[0][1]
