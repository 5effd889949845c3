"""What analysers answer: their own attributes, and answers of the wrong form."""

import math
from typing import Any

import pytest
import torch

from kinblend.errors import PluginError
from kinblend.experiments.readings import Columns, Reading, read_guess


def test_the_guesses_of_old_and_the_attributes_of_new() -> None:
    guess = {
        "age": 31,
        "gender": "f",
        "gender_confidence": 0.9,
        "race": None,
        "emotion": "happy",
        "attributes": {"freckles": 0.25, "hidden": None, "unseen": math.nan},
        "classes": {"glasses": "yes", "hat": ""},
        "something else": object(),
    }
    found = read_guess(guess, "mine")
    assert found.numbers == {"age": 31.0, "male": pytest.approx(0.1), "freckles": 0.25}
    assert found.classes == {"gender": "f", "emotion": "happy", "glasses": "yes"}
    assert Reading.of_record(found.record()) == found
    assert read_guess({}, "mine") == Reading()


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        (3, "answered a int"),
        ({"age": "old"}, "'old' as age"),
        ({"attributes": [1, 2]}, "as attributes"),
        ({"attributes": {"a": "much"}}, "attribute 'a'"),
        ({"attributes": {1: 2.0}}, "as attributes"),
        ({"classes": "yes"}, "as classes"),
    ],
)
def test_answers_of_another_form_are_refused_by_the_analysers_name(guess: Any, said: str) -> None:
    with pytest.raises(PluginError, match=f"analyser 'mine'.*{said}"):
        read_guess(guess, "mine")


def test_an_attribute_that_two_know_has_two_columns() -> None:
    faces = [
        {"one": Reading({"age": 30.0}), "two": Reading({"age": 40.0, "smile": 1.0}, {"gender": "f"})},
        {"one": Reading(), "two": Reading({"age": 50.0}, {"gender": "m"})},
    ]
    columns = Columns.of(faces, ["one", "two"])
    assert columns.names == ["age", "age (two)", "smile"]
    values = columns.values(faces)
    assert torch.equal(values.nan_to_num(-1), torch.tensor([[30.0, 40.0, 1.0], [-1.0, 50.0, -1.0]]))
    assert columns.words(faces, "gender") == ["f", "m"]
    assert Columns.of(faces, ["two", "one"]).names == ["age", "smile", "age (one)"]
