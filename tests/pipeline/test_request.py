"""Edits: strengths, and targets that are numbers with a unit or words."""

import pytest
import torch

from kinblend import Target, load_backbone
from kinblend.backbone import make_plugin
from kinblend.errors import UnsupportedError, UsageError
from kinblend.pipeline.request import resolve_strengths, validate_edits


@pytest.fixture(scope="module")
def editor():
    return make_plugin("editor", "interfacegan", load_backbone("morphable").context)


def test_every_way_to_write_an_edit(editor) -> None:
    words = {"age": " 8.5y ", "gender": "female", "smile": "-1", "hair": 2}
    assert validate_edits(editor, words) == {
        "age": Target(8.5, "years"),
        "gender": Target("female"),
        "smile": -1.0,
        "hair": 2.0,
    }
    assert [str(Target(8.5, "years")), str(Target("female"))] == ["8.5 years", "female"]


@pytest.mark.parametrize("words", [{"gender": "blue"}, {"age": "old"}, {"smile": "8y"}, {"smile": Target("broad")}])
def test_targets_that_an_attribute_does_not_have(words: dict, editor) -> None:
    [name] = words
    with pytest.raises(UnsupportedError, match=f"such as {name}=1"):
        validate_edits(editor, words)


def test_a_number_and_junk_is_neither(editor) -> None:
    with pytest.raises(UsageError, match="such as age=1 or age=8y"):
        validate_edits(editor, {"age": "8 y x"})


def test_targets_are_solved_together_and_strengths_stay(editor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(editor, "strengths_for_targets", lambda code, targets: asked.append(targets) or {"age": -1.5})
    code = torch.zeros(editor.space.layers, editor.space.dim)
    found = resolve_strengths(editor, code, {"smile": 0.5, "age": Target(8, "years")})
    assert found == {"smile": 0.5, "age": -1.5}
    assert asked == [{"age": Target(8, "years")}]
