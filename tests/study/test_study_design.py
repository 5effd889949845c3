"""What participants are shown: balanced, and nothing tells the right answer but the pictures."""

import json
from collections import Counter
from math import gcd

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_study import STRATEGIES, study, write_toy

from kinblend.errors import InputError
from kinblend.study import trials_of
from kinblend.study.design import passes, rotation
from kinblend.study.folder import UNRELATED, StudyFolder, write_study


def proper(trials, task: str):
    return [trial for trial in trials if trial.task == task and not trial.catch]


studies = st.builds(
    study,
    couples=st.integers(8, 40),
    sexes=st.sampled_from(["m", "mf", "mmf", "mffmm"]),
    choices=st.integers(2, 4),
    choose_trials=st.integers(1, 30),
    rating_trials=st.integers(1, 30),
    catch_trials=st.integers(0, 4),
    seed=st.integers(0, 10**6),
)


@settings(max_examples=60, deadline=None)
@given(studies, st.integers(0, 200), st.text("0123456789abcdef", min_size=16, max_size=16))
def test_laws_of_a_participants_trials(made, session: int, participant: str) -> None:
    trials = trials_of(made, participant, session)
    assert trials == trials_of(made, participant, session), "the same seed gives the same trials"
    sex = {couple.id: couple.sex for couple in made.couples}
    tasks = [trial.task for trial in trials]
    assert tasks == sorted(tasks), "the true children come after all choices"
    for task, asked in (("choose", made.design.choose_trials), ("rate", made.design.rating_trials)):
        own = proper(trials, task)
        pool = made.choosable if task == "choose" else made.couples
        assert len(own) == min(asked, len(pool))
        assert len({trial.couple for trial in own}) == len(own), "no couple is asked about twice"
    for trial in trials:
        if trial.task == "choose":
            assert [one.couple for one in trial.pictures].count(trial.couple) == 1
            assert len({one.couple for one in trial.pictures}) == made.design.choices
            assert {sex[one.couple] for one in trial.pictures} == {sex[trial.couple]}
        else:
            assert [one.what for one in trial.pictures if one.couple == trial.couple].count("child") >= 1
            assert len(trial.pictures) == 2
    catches = Counter(trial.catch for trial in trials if trial.catch)
    count = made.design.catch_trials
    assert catches == ({"one-face": count, "identical": count, "no-face": count} if count else {})
    assert all(passes(t.catch, t.couple, a) for t, a in zip(caught(trials), attentive(trials), strict=True))


def caught(trials):
    return [trial for trial in trials if trial.catch]


def attentive(trials):
    """What somebody answers who looks at the catch trials' pictures."""
    right = {"one-face": lambda t: next(p.couple for p in t.pictures if p.what == "predicted")}
    right |= {"identical": lambda t: "10", "no-face": lambda t: "0"}
    return [right[trial.catch](trial) for trial in caught(trials)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 50), st.integers(0, 5))
def test_couples_and_strategies_take_turns(couples: int, conditions: int, count: int, seed: int) -> None:
    items, names = [f"c{n}" for n in range(couples)], [f"s{n}" for n in range(conditions)]
    count = min(count, couples)
    sessions = couples * conditions // gcd(couples * conditions, count)  # until everything came equally often
    turns = [rotation(items, names, count, session, str(seed)) for session in range(sessions)]
    for one in turns:
        often = Counter(condition for _, condition in one)
        assert max(often[name] for name in names) - min(often[name] for name in names) <= 2
        assert len({item for item, _ in one}) == count
    everything = Counter(pair for one in turns for pair in one)
    assert len(everything) == couples * conditions and len(set(everything.values())) == 1


def test_no_position_no_earlier_picture_and_no_order_tells_the_answer() -> None:
    """2000 participants: for every couple the right picture stands everywhere equally often, a rival likewise, and
    of two couples each is a rival of the other as often."""
    made = study(couples=10, sexes="m", choose_trials=10, rating_trials=0, catch_trials=0)
    right, places, rivals = Counter(), Counter(), Counter()
    for session in range(2000):
        for trial in trials_of(made, f"{session:016x}", session):
            order = [one.couple for one in trial.pictures]
            right[trial.couple, order.index(trial.couple)] += 1
            places[order.index(trial.couple)] += 1
            rivals.update(couple for couple in order if couple != trial.couple)
    assert set(places) == {0, 1, 2, 3}
    for key, often in right.items():
        assert abs(often - 500) < 5 * (2000 * 0.25 * 0.75) ** 0.5, key
    for couple, often in rivals.items():
        assert abs(often - 6000) < 5 * (6000 * 2 / 3) ** 0.5, couple


def test_positions_are_balanced_within_a_participant() -> None:
    made = study(couples=24, sexes="m", choose_trials=16, choices=4)
    for session in range(20):
        places = Counter(
            [one.couple for one in trial.pictures].index(trial.couple)
            for trial in proper(trials_of(made, f"p{session}", session), "choose")
        )
        assert set(places.values()) == {4}


def test_participants_and_seeds_have_orders_of_their_own() -> None:
    made, other = study(seed=1), study(seed=2)
    shown = {str(trials_of(one, who, 0)) for one in (made, other) for who in ("a", "b", "c")}
    assert len(shown) == 6


def test_a_catch_trial_shows_nobodys_child_who_is_asked_about() -> None:
    made = study(couples=24, sexes="m", choose_trials=12)
    for session in range(20):
        trials = [trial for trial in trials_of(made, f"p{session}", session) if trial.task == "choose"]
        asked = {trial.couple for trial in trials if not trial.catch}
        assert not asked & {trial.couple for trial in trials if trial.catch}


def test_ratings_have_the_condition_unrelated() -> None:
    made = study(couples=8, rating_trials=8)
    conditions = Counter()
    for session in range(4):
        for trial in proper(trials_of(made, f"p{session}", session), "rate"):
            conditions[trial.strategy if trial.couple in trial.shown.split() else UNRELATED] += 1
    assert conditions == dict.fromkeys([*STRATEGIES, UNRELATED], 8)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sexes": "mf", "couples": 6}, "same sex"),
        ({"choose_trials": 0, "rating_trials": 0}, "no trials"),
        ({"strategies": ("average", "average")}, "names of their own"),
        ({"strategies": ("average", UNRELATED)}, "names of their own"),
        ({"strategies": ("first",)}, "baseline"),
    ],
)
def test_a_study_that_can_show_nothing_is_refused(changed: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        study(**changed)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", 2),
        ("couples", []),
        ("couples", [{"id": "../etc", "sex": "m"}] * 2),
        ("strategies", ["average", "two\nlines"]),
        ("strategies", ["average", "=SUM(A1)"]),
        ("strategies", ["average", "ends with "]),
        ("design", {"choices": 1}),
        ("colour", "blue"),
        ("baseline", None),
    ],
)
def test_a_description_that_was_altered_is_an_error_in_one_line(tmp_path, key: str, value) -> None:
    write_study(tmp_path, study())
    path = tmp_path / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(InputError) as error:
        StudyFolder(tmp_path)
    assert "\n" not in str(error.value) and "study.json" in str(error.value)


@pytest.mark.parametrize("text", ["", "[", "[]", "{}", "null", "[" * 100_000, "\xff"])
def test_what_is_no_description_is_refused(tmp_path, text: str) -> None:
    (tmp_path / "study.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError):
        StudyFolder(tmp_path)
    with pytest.raises(InputError, match="holds no study"):
        StudyFolder(tmp_path / "none")


def test_a_missing_picture_is_named(tmp_path) -> None:
    folder = StudyFolder(write_toy(tmp_path))
    folder.check()
    folder.picture("c001", "predicted", "first").unlink()
    with pytest.raises(InputError, match=r"c001/predicted-1\.jpg is missing"):
        folder.check()
