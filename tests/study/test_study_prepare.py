"""The pictures of a study, by the embedded backbone: of encoded trios, and of photographs."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from plugin_site import here, with_flags
from toy_study import Crowd

from kinblend import Engine, load_backbone
from kinblend.cli.demo import example
from kinblend.cli.study import _strategies
from kinblend.datasets import Trios, load_trios
from kinblend.errors import UsageError, WeightsMissingError
from kinblend.families.trio_list import TrioFiles
from kinblend.families.trios import save_trios
from kinblend.study import Design, read_answers
from kinblend.study.answers import AnswerFile
from kinblend.study.folder import StudyFolder
from kinblend.study.prepare import SIDE, FromCodes, FromPhotographs, prepare_study, scramble

COUPLES = 5


@pytest.fixture(scope="module")
def trios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up families: a child lies between its parents."""
    path = tmp_path_factory.mktemp("trios") / "trios.safetensors"
    father, mother = torch.randn(2, 6, 4, 512, generator=torch.Generator().manual_seed(0)) * 0.7
    names = [f"F{row // 2 if row < 2 else row}" for row in range(6)]  # the first two are one family
    save_trios(
        path,
        Trios(
            father,
            mother,
            (father + mother) / 2,
            torch.randn(6, 8, generator=torch.Generator().manual_seed(1)),
            names,
            load_backbone("morphable").space,
            splits=["test"] * 6,
            groups={"sex": ["m"] * 5 + [""]},
        ),
    )
    return path


WORDS = ("--choices", 3, "--strategy", "slerp", "--couples", COUPLES, "--choose-trials", 3, "--rating-trials", 3)


@pytest.fixture(scope="module")
def folder(trios: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "study"
    code, said, error = here("study", "prepare", trios, *WORDS, "--out", out, "--json")
    assert code == 0, error
    assert json.loads(said)["files"] == [str(out / "study.json"), str(out / "consent.txt")]
    return out


def test_one_couple_of_each_family_and_the_baseline_beside_what_was_named(folder: Path) -> None:
    study = StudyFolder(folder)
    study.check()
    assert study.study.strategies == ("average", "slerp") and study.study.baseline == "average"
    assert len(study.study.couples) == COUPLES and study.study.source == "codes"
    assert sorted(couple.sex for couple in study.study.couples)[:1] == [""]


def test_pictures_are_alike_in_all_that_is_not_a_face(folder: Path) -> None:
    """Size, kind and comment; none has the surroundings of a parent's photograph."""
    seen = set()
    for path in (folder / "pictures").rglob("*.jpg"):
        with Image.open(path) as picture:
            seen.add((picture.size, picture.mode, picture.format, str(picture.info.get("comment"))))
    assert len(seen) == 1 and next(iter(seen))[0] == (SIDE, SIDE)


def test_a_second_call_makes_nothing_anew_and_a_lost_picture_again(folder: Path, trios: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (folder / "pictures").rglob("*.jpg")}
    lost = sorted(before)[2]
    data = lost.read_bytes()
    lost.unlink()
    (folder / "consent.txt").write_text("Ours.")
    assert here("study", "prepare", trios, *WORDS, "--out", folder)[0] == 0
    after = {path: path.stat().st_mtime_ns for path in before}
    changed = {path.parent for path in before if before[path] != after[path]}
    assert changed == {lost.parent} and lost.read_bytes() == data
    assert (folder / "consent.txt").read_text() == "Ours."


def test_once_people_have_answered_nothing_is_changed(folder: Path, trios: Path) -> None:
    file = AnswerFile(folder / "answers.csv")
    for row in Crowd(StudyFolder(folder).study, {"average": 0.5, "slerp": 0.5}, {}).answers(0):
        file.add(row)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for more in (["--seed", 1], ["--couples", 4], ["--strategy", "father alone"], ["--choices", 2], ["--age", 30]):
        code, _, error = here("study", "prepare", trios, *with_flags(WORDS, more), "--out", folder)
        assert code == 2 and "another folder" in error and error.count("kinblend:") == 1, more
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert here("study", "prepare", trios, *WORDS, "--out", folder)[0] == 0
    file.path.unlink()


def test_networks_answer_the_same_questions(folder: Path) -> None:
    """The true child is the parents' average here: `average` finds it."""
    study = StudyFolder(folder).study
    rating = {"average": 8.0, "slerp": 7.0, "unrelated": 2.0}
    file = AnswerFile(folder / "answers.csv")
    for row in Crowd(study, {"average": 0.9, "slerp": 0.5}, rating).answers(6):
        file.add(row)
    code, out, error = here("study", "analyze", folder, "--identity", "dlib", "--json")
    file.path.unlink()
    assert code == 0, error
    network = json.loads(out)["networks"]["dlib"]
    assert set(network) == {"average", "slerp"}
    assert network["average"]["auc"]["mean"] > 0.9 and network["average"]["cosine"]["mean"] > 0.9
    assert network["average"]["right"]["families"] >= 3 and 0 <= network["average"]["right"]["mean"] <= 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--strategy", "none"], 2, "use one of"),
        (["--choices", 8], 3, "same sex"),
        (["--choose-trials", 0, "--rating-trials", 0], 3, "no trials"),
        (["--aligned"], 2, "encoded trios have none"),
        (["--age", 99], 2, "use 0 to 80"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(words: list, code: int, said: str, trios: Path, tmp_path: Path) -> None:
    found, out, error = here("study", "prepare", trios, "--couples", 6, "--out", tmp_path / "s", *words, "--quiet")
    assert (found, out, error.count("\n")) == (code, "", 1) and said in error
    assert not (tmp_path / "s" / "study.json").exists()


def test_a_strategy_without_weights_says_which_and_one_that_nobody_asked_for_nothing(
    e4e_pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Engine(e4e_pack)
    with pytest.raises(WeightsMissingError, match="no weights for learned"):
        _strategies(engine, ["slerp", "learned"], {})
    found, baseline = _strategies(engine, ["slerp"], {})
    assert (list(found), baseline, capsys.readouterr().err) == (["average", "slerp"], "average", "")


@pytest.mark.parametrize("name", ["a/b", "=1", "two\nlines", "ends with ", "", "x" * 61, '"quoted"', "a;b"])
def test_a_name_that_would_harm_the_answers_is_refused_at_once(name: str, trios: Path, tmp_path: Path) -> None:
    engine = Engine("morphable")
    source = FromCodes(engine, load_trios(trios))
    strategies = {"average": ("average", {}), name: ("slerp", {})}
    with pytest.raises(UsageError, match="strategy's name"):
        prepare_study(tmp_path, engine, source, strategies, "average", Design(choices=3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("said", "meant"), [("m", "m"), ("f", "f"), ("", ""), ("male", ""), ("x", "")])
def test_a_sex_that_is_not_known_is_none(said: str, meant: str) -> None:
    picture = Path("a.jpg")
    source = FromPhotographs(Engine("morphable"), [TrioFiles("F", picture, picture, picture, child_gender=said)])
    assert (source.sex(0), len(source)) == (meant, 1)


def test_a_scrambled_picture_has_the_same_pixels_elsewhere() -> None:
    pixels = np.arange(SIDE * SIDE * 3, dtype=np.uint32).reshape(SIDE, SIDE, 3) % 251
    picture = Image.fromarray(pixels.astype(np.uint8))
    scrambled = np.asarray(scramble(picture, 1))
    assert (
        np.bincount(scrambled.ravel(), minlength=256) == np.bincount(np.asarray(picture).ravel(), minlength=256)
    ).all()
    assert (scrambled != np.asarray(picture)).mean() > 0.5
    assert (scrambled == np.asarray(scramble(picture, 1))).all()


@pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people (openpeople) are not installed")
def test_a_study_of_photographs_and_who_is_left_out(tmp_path: Path) -> None:
    rows = [("A", "P005", "P001", "P007"), ("B", "P006", "P002", "P008"), ("C", "P007", "P003", "P001")]
    lines = [",".join([name, *(str(example(who)) for who in people), "m", "test"]) for name, *people in rows]
    (tmp_path / "nobody.jpg").write_bytes(b"no picture")
    lines += [f"D,{example('P005')},nobody.jpg,{example('P007')},m,test", "E,a.jpg,b.jpg,c.jpg,m,train"]
    (tmp_path / "trios.csv").write_text("family,father,mother,child,child_gender,split\n" + "\n".join(lines) + "\n")
    words = ["--strategy", "average", "--choices", 2, "--out", tmp_path / "study"]
    code, _, error = here("study", "prepare", tmp_path / "trios.csv", *words)
    assert code == 0, error
    assert error.count("a couple is left out") == 1 and "nobody.jpg" in error
    study = StudyFolder(tmp_path / "study")
    study.check()
    assert (len(study.study.couples), study.study.source) == (3, "photographs")
    assert read_marks(study) == {
        "father": False,
        "mother": False,
        "child": False,
        "predicted-0": True,
        "scrambled": True,
    }


def read_marks(study: StudyFolder) -> dict[str, bool]:
    """Which pictures say that they are synthetic."""
    found = {}
    for path in (study.path / "pictures" / study.study.couples[0].id).glob("*.jpg"):
        with Image.open(path) as picture:
            found[path.stem] = b"Synthetic" in picture.info["comment"]
    return found


def test_one_process_at_a_time(folder: Path, trios: Path) -> None:
    from web_client import Server

    with Server("--quiet", str(folder), serve=("study", "serve")):
        code, _, error = here("study", "prepare", trios, *WORDS, "--out", folder)
        assert code == 2 and "another process" in error
        assert here("study", "serve", folder, "--port", 0)[0] == 2
    assert read_answers(folder / "answers.csv") == []
    (folder / "answers.csv").unlink()
