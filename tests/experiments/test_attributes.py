"""The whole experiment: on made-up families of the embedded backbone, and on photographs of synthetic people."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from plugin_site import here, with_flags
from portraits import portrait
from safetensors.torch import load_file

from kinblend import load_backbone
from kinblend.datasets import Trios
from kinblend.errors import InputError, UnsupportedError, UsageError
from kinblend.evaluation.readings import usable_analysers
from kinblend.experiments.fitting import choose_source, draw_codes
from kinblend.experiments.looking import Looker
from kinblend.experiments.material import Material, from_codes, from_photographs
from kinblend.families.trio_list import TrioFiles
from kinblend.families.trios import save_trios

FAMILIES = 14
WORDS = (
    *("--backbone", "morphable", "--analyser", "face-measurements"),
    *("--base", "slerp", "--strategy", "average", "--couples", 3),
)
QUICK = ("--looks", 5, "--features", 3, "--quiet")


@pytest.fixture(scope="module")
def families() -> Trios:
    """Made-up ones in the first dimensions of a code: a child lies between its parents, and beside."""
    space = load_backbone("morphable").space
    father, mother, other = 0.7 * torch.randn(3, FAMILIES, 4, 512, generator=torch.Generator().manual_seed(0))
    for codes in (father, mother, other):
        codes[:, :, 3:] = 0
    names = [f"F{row}" for row in range(FAMILIES)]
    return Trios(
        father,
        mother,
        (father + mother) / 2 + 0.7 * other,
        torch.randn(FAMILIES, 8, generator=torch.Generator().manual_seed(1)),
        names,
        space,
        groups={"sex": ["m", "f"] * (FAMILIES // 2)},
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, families: Trios) -> Path:
    folder = tmp_path_factory.mktemp("experiment")
    save_trios(folder / "trios.safetensors", families)
    return folder


@pytest.fixture(scope="module")
def report(home: Path) -> dict:
    code, said, error = here(
        "experiment", "attributes", home / "trios.safetensors", *WORDS, *QUICK, "--out", home / "out", "--json",
        KINBLEND_HOME=home / "home",
    )  # fmt: skip
    assert code == 0, error
    return json.loads(said)


def error(report: dict, name: str) -> dict:
    return next(row for row in report["errors"] if row["name"] == name)


def test_models_read_what_codes_hold_of_people_they_did_not_see(report: dict) -> None:
    tests = {test["name"]: test["held_out"] for test in report["models"]["tests"]}
    assert tests["skin L*"]["value"] > 0.8
    assert tests["skin L*"]["faces"] == report["models"]["held_out"]
    assert (report["models"]["fitted_to"], report["pictures"]) == ("people", "pictures of codes")
    assert len(report["chosen"]) == 3 and set(report["chosen"]) <= set(tests)


def test_strengths_that_were_sought_come_near_and_the_true_child_itself_is_there(report: dict) -> None:
    base = error(report, "slerp")
    for along in ("weights", "patterns"):
        sought = error(report, f"slerp, sought along {along}")
        assert sought["told"] == "all"
        assert sought["chosen"]["mean"] < 0.5 * base["chosen"]["mean"]
        assert error(report, f"slerp, others' along {along}")["told"] == ""
    assert error(report, "child's own code")["chosen"]["mean"] == 0
    assert error(report, "slerp")["chosen_less_base"]["mean"] == 0
    assert error(report, "an unrelated child")["chosen"]["mean"] > 0
    for searches in report["searches"].values():
        assert all(one["after"] <= one["before"] and one["looks"] <= 5 for one in searches)
        assert base["each"] == pytest.approx([one["before"] for one in searches], rel=1e-4)


def test_age_and_sex_are_told_where_the_list_has_them_and_said_to_be(report: dict) -> None:
    assert error(report, "average, age and sex")["told"] == "age and sex"
    assert [one["sex"] for one in report["couples"]] == [
        "m" if int(f[1:]) % 2 == 0 else "f" for f in report["families"]
    ]
    assert {one["age"] for one in report["couples"]} == {None}  # no analyser that was asked tells ages


def test_what_is_seen_without_models_is_there_for_parents_and_children(report: dict) -> None:
    seen = {row["name"]: row for row in report["observations"]}
    assert {"fathers' codes", "true children's codes", "slerp", "average, neutral"} <= set(seen)
    assert 0.2 < seen["slerp"]["face size"]["mean"] < 1
    assert seen["child's own code"]["told apart"]["mean"] == 1
    assert seen["slerp"]["spread"]["mean"] < seen["fathers' codes"]["spread"]["mean"]  # blends are alike


def test_all_files_are_written_and_directions_can_be_used(home: Path, report: dict, families: Trios) -> None:
    out = home / "out"
    page = (out / "report.html").read_text("utf-8")
    assert page.count("<img src='data:image/png;base64,") == 5
    assert "photographs of people" not in page and "too few for an interval" in page
    assert json.loads((out / "report.json").read_text()) == report
    steps = load_file(out / "directions-pattern.safetensors")
    assert [tuple(step.shape) for step in steps.values()] == [(families.space.layers, families.space.dim)] * 3
    rows = (out / "strengths.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * 3 and rows[0].startswith("family,along,before,after,looks,")


def test_a_second_call_looks_at_nothing_again_and_says_the_same(
    home: Path, report: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(Looker, "_ask_all", lambda self, crops: asked.append(len(crops)))
    before = (home / "out" / "report.html").read_bytes()
    code, _, said = here(
        "experiment", "attributes", home / "trios.safetensors", *WORDS, *QUICK, "--out", home / "out",
        KINBLEND_HOME=home / "home",
    )  # fmt: skip
    assert (code, asked) == (0, []), said
    assert (home / "out" / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--fit-to", "samples"], 2, "draws no people of its own"),
        (["--couples", FAMILIES], 3, "too few to fit models to"),
        (["--least", 1], 3, "no attribute is read from codes"),
        (["--analyser", "nobody"], 2, "there is no analyser 'nobody'"),
        (["--strategy", "nobody"], 2, "there is no blender 'nobody'"),
        (["--aligned"], 2, "encoded trios have none"),
        (["--backbone", "nothing"], 4, "nothing"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(words: list, code: int, said: str, home: Path, report: dict) -> None:
    found, out, told = here(
        "experiment", "attributes", home / "trios.safetensors", *with_flags((*WORDS, *QUICK), words),
        "--out", home / "no", KINBLEND_HOME=home / "home",
    )  # fmt: skip
    assert (found, out, told.count("\n")) == (code, "", 1), told
    assert said in told and not (home / "no").exists()


def test_couples_are_of_the_test_part_and_one_of_each_family(families: Trios) -> None:
    from dataclasses import replace

    parts = ["test" if row < 4 else "train" for row in range(FAMILIES)]
    twice = replace(families, families=["F0", *families.families[:-1]], splits=parts)
    found = from_codes(twice, 10, seed=0)
    names = [twice.families[row] for row in found.couples]
    assert sorted(names) == ["F0", "F1", "F2"]
    with pytest.raises(InputError, match="test part"):
        from_codes(replace(families, splits=["train"] * FAMILIES), 10, seed=0)


def test_everyone_is_a_person_once_and_a_sibling_of_a_child_is_held_out_with_it(families: Trios) -> None:
    from dataclasses import replace

    father = families.father.clone()
    father[1] = father[0]
    found = Material(replace(families, father=father, families=["F0", *families.families[:-1]]), [0]).people()
    assert len(found) == 3 * FAMILIES - 1
    assert {(one.row, one.role) for one in found if one.couple} == {
        (0, "father"), (0, "mother"), (0, "child"), (1, "mother"), (1, "child")
    }  # fmt: skip
    assert [one.sex for one in found if one.row == 2] == ["m", "f", "m"]


@pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people are not installed")
def test_photographs_alone_are_enough(tmp_path: Path) -> None:
    people = [portrait(name) for name in ("P001", "P002", "P004")]
    trios = [
        TrioFiles("a", people[0], people[1], people[2]),
        TrioFiles("b", people[1], people[0], tmp_path / "no.jpg"),
    ]
    backbone = load_backbone("morphable")
    found = from_photographs(trios, backbone, tmp_path, couples=2, more=0, seed=0)
    assert found.trios.families == ["a"] and found.couples == [0]
    assert len(found.rejected) == 1 and "no.jpg" in found.rejected[0]
    assert found.photographs is not None
    assert found.photographs.crop(0, "mother").size == (256, 256)
    looker = Looker(backbone, ["face-measurements"], tmp_path)
    [photograph], [code] = found.look(looker, [(0, "mother")]), looker.codes(found.trios.mother[:1])
    assert found.look(looker, [(0, "mother")]) == [photograph]
    skin = [look["face-measurements"].numbers["skin L*"] for look in (photograph, code)]
    assert skin[0] == pytest.approx(skin[1], abs=12) and skin[0] != skin[1]


def test_more_samples_begin_with_the_same_ones(e4e_pack: Path) -> None:
    backbone = load_backbone(e4e_pack)
    assert choose_source(backbone, None) == "samples"
    assert torch.equal(draw_codes(backbone, 3, seed=1), draw_codes(backbone, 5, seed=1)[:3])
    assert not torch.equal(draw_codes(backbone, 1, seed=1), draw_codes(backbone, 1, seed=2))
    with pytest.raises(UsageError, match="samples or people"):
        choose_source(backbone, "else")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="fit the models to people"):
        choose_source(load_backbone("morphable"), "samples")


def test_the_usual_analysers_are_those_that_are_preferred_and_installed() -> None:
    assert usable_analysers()[-1] == "face-measurements"
    assert not {"face-api", "facer"} & set(usable_analysers())
