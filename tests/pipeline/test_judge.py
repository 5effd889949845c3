"""What a judge sees goes into the manifest, and a judge that can't be asked never ends a run."""

import pytest
from PIL import Image

from kinblend.pipeline.judge import judge_children
from kinblend.plugins import load_plugins
from kinblend.registry import PluginSpec, Registry

PICTURES = [Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64), "white")]


def sees(crops):
    return [{"age": 7.25, "gender": "f", "gender_confidence": 0.9}, {"emotion": "calm"}][: len(crops)]


def fails(crops):
    raise ValueError("inside")


@pytest.fixture(autouse=True)
def judges(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry("analyser")
    registry.add(PluginSpec(name, "a test", f"{__name__}:{name}") for name in ("sees", "fails"))
    monkeypatch.setitem(load_plugins().registries, "analyser", registry)


def test_what_it_sees() -> None:
    found = judge_children("sees", PICTURES)
    assert found["seen"] == [
        {"age": 7.2, "sex": "girl", "sex_confidence": 0.9},
        {"age": None, "sex": None, "sex_confidence": None},
    ]
    assert (found["judge"], found["judge_note"]) == ("sees", None)


@pytest.mark.parametrize(
    ("name", "reason"), [("fails", "inside"), ("nobody", "there is no analyser"), (None, "no judge was asked")]
)
def test_nothing_with_the_reason(name: str | None, reason: str) -> None:
    found = judge_children(name, PICTURES)
    assert found["seen"] is None and reason in found["judge_note"]
