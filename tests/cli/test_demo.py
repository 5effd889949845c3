"""The demo shows what the backbone can, and says what it leaves out."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from kinblend.cli.demo import AGES, by_age, by_strategy
from kinblend.cli.output import set_quiet
from kinblend.errors import UsageError

HERE = Path("no.jpg")


@pytest.fixture(autouse=True)
def _loud() -> None:
    """A command that was quiet leaves the process so."""
    set_quiet(False)


class Plain:
    """An engine whose backbone has neither trained weights nor directions."""

    backbone = SimpleNamespace(lacks=lambda spec: f"plain has no weights for {spec.name} yet" if spec.weights else "")

    def run(self, father, mother, *, blender="average", age, sex, by_default=()):
        if not by_default:
            raise UsageError("age can't be asked for: this backbone has no directions for age")
        return blender, age, sex


class Able(Plain):
    def run(self, father, mother, *, blender="average", age, sex, by_default=()):
        return blender, age, sex


def test_strategies_without_weights_are_left_out_with_a_note(capsys: pytest.CaptureFixture[str]) -> None:
    made = list(by_strategy(Plain(), HERE, HERE))
    assert made == [(name, (name, 8, "girl")) for name in ("average", "dimension", "layer", "mask")]
    said = capsys.readouterr().err
    assert all(f"left out: plain has no weights for {name} yet" in said for name in ("learned", "likeness"))
    assert "slerp" not in said


def test_girls_and_boys_of_every_age_where_the_backbone_knows_them(capsys: pytest.CaptureFixture[str]) -> None:
    made = dict(by_age(Able(), HERE, HERE))
    assert list(made) == [f"{child} at {age}" for child in ("daughter", "son") for age in AGES]
    assert list(by_age(Plain(), HERE, HERE)) == []
    assert capsys.readouterr().err.count("left out: ages") == 1
