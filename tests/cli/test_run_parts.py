"""`run --from father=eyes`: parts of the face from one parent; beside it, `--from child.json` keeps its meaning."""

import json
from pathlib import Path

import pytest
from plugin_site import here
from portraits import portrait

from kinblend.cli.demo import FATHER, MOTHER
from kinblend.cli.parts import choose_parts, read_from
from kinblend.errors import UsageError

PARENTS = ["--father", portrait(FATHER), "--mother", portrait(MOTHER)]


def test_words_are_parts_where_they_begin_with_a_parent_and_else_a_manifest() -> None:
    assert read_from([]) == (None, {})
    assert read_from(["out/child.json"]) == (Path("out/child.json"), {})
    assert read_from(["father=eyes, nose", "mother=mouth", "father=eyes"]) == (
        None,
        {"eyes": "father", "nose": "father", "mouth": "mother"},
    )
    assert read_from(["./mother.json"]) == (Path("./mother.json"), {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["father=eyes", "mother=nose,eyes"], "eyes can't come from both parents"),
        (["father="], "name parts"),
        (["mother= , "], "name parts"),
        (["uncle=eyes"], "write father=eyes"),
        (["a.json", "b.json"], "2 manifests"),
        (["a.json", "father=eyes"], "with the parts they had"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_can_not_be_meant_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_from(words)


def test_they_choose_a_strategy_that_takes_them() -> None:
    eyes = {"eyes": "father"}
    assert choose_parts(eyes, None, None, {"share": 0.1}) == ("parts", {"share": 0.1, "parts": eyes})
    assert choose_parts(eyes, None, "average", {})[0] == "parts", "a strategy of the settings gives way"
    assert choose_parts(eyes, "parts", None, {})[0] == "parts"
    with pytest.raises(UsageError, match="average takes no parts"):
        choose_parts(eyes, "average", None, {})
    with pytest.raises(UsageError, match="no blender 'nobody'"):
        choose_parts(eyes, "nobody", None, {})
    with pytest.raises(UsageError, match="given twice"):
        choose_parts(eyes, None, None, {"parts": {}})


def test_a_child_with_his_eyes_is_made_and_made_again(tmp_path: Path) -> None:
    words = ["run", *PARENTS, "--from", "father=eyes", "--from", "mother=mouth", "--age", "parents", "--no-judge"]
    code, _, error = here(*words, "--backbone", "morphable", "--out", tmp_path / "a")
    assert code == 0, error
    manifest = json.loads((tmp_path / "a" / "child.json").read_text())
    assert manifest["request"]["blender"] == "parts"
    assert manifest["request"]["blender_options"] == {"parts": {"eyes": "father", "mouth": "mother"}}
    code, _, error = here("run", *PARENTS, "--from", tmp_path / "a" / "child.json", "--out", tmp_path / "b")
    assert code == 0, error
    for name in ("child.png", "child.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_an_unknown_part_is_invalid_usage_before_any_photograph_is_read(tmp_path: Path) -> None:
    for name in ("f.jpg", "m.jpg"):
        (tmp_path / name).touch()
    words = ["run", tmp_path / "f.jpg", tmp_path / "m.jpg", "--backbone", "morphable", "--from", "father=ears"]
    code, out, error = here(*words)
    assert (code, out) == (2, "") and "has no part 'ears'; it has: eyes, brows, nose, mouth, jaw" in error


def test_the_parts_of_a_backbone_are_listed() -> None:
    code, out, _ = here("blenders", "show", "parts", "--backbone", "morphable", "--json")
    assert code == 0 and json.loads(out)["parts"] == ["eyes", "brows", "nose", "mouth", "jaw"]
