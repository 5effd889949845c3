"""Age and sex of children: what is asked for, what wins, and what an editor can't do."""

import itertools

import pytest

from kinblend import Context, Editor, LatentSpace, Target
from kinblend.errors import UsageError
from kinblend.pipeline.age_and_sex import AgeAndSex, draw_sex
from kinblend.plugins import load_plugins

CONTEXT = Context(LatentSpace("test", 4, 8, "0" * 64))
BOTH = frozenset({"age", "sex"})


class Able(Editor):
    """Knows ages in years and both sexes, unless it is made with less."""

    known = {"age": ("years",), "gender": ("female", "male")}

    def attributes(self):
        return dict.fromkeys(("age", "gender", "smile"), "a test")

    def targets(self):
        return self.known

    def edit(self, codes, strengths):
        return codes


class Unable(Able):
    known = {"gender": ("female",)}


def able(kind: type[Editor] = Able) -> Editor:
    options = load_plugins()["editor"].get("interfacegan").parse_options({})
    return kind(options, CONTEXT)


def test_age_and_sex_become_targets() -> None:
    asked = AgeAndSex(8, "boy").for_child(able(), {"smile": 1.0}, seed=0)
    assert asked.all_edits == {"smile": 1.0, "age": Target(8.0, "years"), "gender": Target("male")}
    assert (asked.record["age_from"], asked.record["sex_from"], asked.record["sex_drawn"]) == (
        "option",
        "option",
        False,
    )


def test_nothing_asked_leaves_the_blend() -> None:
    asked = AgeAndSex().for_child(None, {}, seed=0)
    assert asked.all_edits == {}
    assert (asked.record["age"], asked.record["age_from"], asked.record["sex"]) == (None, None, None)


def test_any_is_drawn_fairly_and_by_the_childs_own_seed() -> None:
    drawn = [draw_sex(seed) for seed in range(4000)]
    assert drawn == [draw_sex(seed) for seed in range(4000)]
    assert abs(drawn.count("girl") / 4000 - 0.5) < 0.03
    alike = sum(one == other for one, other in itertools.pairwise(drawn))
    assert abs(alike / 3999 - 0.5) < 0.03, "neighbours know nothing of each other"
    asked = [AgeAndSex(None, "any").for_child(able(), {}, seed) for seed in range(4)]
    assert [one.sex for one in asked] == drawn[:4] and all(one.drawn for one in asked)


def test_an_edit_beats_a_default_and_contradicts_an_option() -> None:
    edits = {"age": -1.0, "gender": Target("male")}
    asked = AgeAndSex(8, "any", BOTH).for_child(able(), edits, seed=0)
    assert asked.all_edits == edits
    assert (asked.record["age_from"], asked.record["sex_from"]) == ("edit", "edit")
    AgeAndSex(8, "any", BOTH).check(able(), edits)
    for request in (AgeAndSex(age=8), AgeAndSex(sex="girl")):
        with pytest.raises(UsageError, match="contradicts an edit"):
            request.check(able(), edits)


def test_what_an_editor_has_no_targets_for_is_left_out_by_default_and_refused_when_asked_for() -> None:
    usual = AgeAndSex(8, "any", BOTH)
    usual.check(able(Unable), {})
    asked = usual.for_child(able(Unable), {}, seed=0)
    assert asked.all_edits == {}
    assert "its parents' age" in asked.record["left_out"]["age"] and "gender" in asked.record["left_out"]["sex"]
    for request in (AgeAndSex(age=8), AgeAndSex(sex="girl")):
        with pytest.raises(UsageError, match="no directions"):
            request.check(able(Unable), {})


@pytest.mark.parametrize("words", [{"age": 81}, {"age": -0.5}, {"age": float("nan")}, {"age": "x"}, {"sex": "man"}])
def test_ages_and_sexes_that_will_not_do(words: dict) -> None:
    with pytest.raises(UsageError):
        AgeAndSex(**words)


def test_fractions_and_both_ends_are_ages() -> None:
    assert [AgeAndSex(age=age).age for age in (0, 1.5, 80)] == [0.0, 1.5, 80.0]
