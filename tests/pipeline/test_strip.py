"""One person at several ages."""

import json
from pathlib import Path

import pytest
from plugin_site import here
from portraits import portrait

from kinblend import Engine, load_latent
from kinblend.errors import UsageError
from kinblend.imaging import read_image
from kinblend.pipeline.strip import make_strip, plan_strip

PERSON = "P001"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable", "cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strip by the command line."""
    out = tmp_path_factory.mktemp("strip") / "ages"
    words = ["--age", "8, 60y", "--with", "smile=1", "--backbone", "morphable", "--out", out, "--quiet"]
    code, text, error = here("strip", portrait(PERSON), *words)
    assert (code, error) == (0, "")
    assert {Path(line).name for line in text.splitlines()} == {path.name for path in out.iterdir()}
    return out


def test_each_age_has_a_picture_and_a_latent_and_all_are_in_a_row(made: Path) -> None:
    names = {"age-8y.png", "age-60y.png", "age-8y.safetensors", "age-60y.safetensors", "strip.png", "strip.json"}
    assert {path.name for path in made.iterdir()} == names
    record = json.loads((made / "strip.json").read_text())
    assert (record["attribute"], record["values"], record["with"]) == ("age", ["8 years", "60 years"], {"smile": "1"})
    assert len(record["input"]["sha256"]) == 64


def test_the_same_from_python_and_each_person_stays_who_they_are(made: Path, engine: Engine) -> None:
    editor = engine.editor()
    with engine.pool:
        strip = make_strip(engine, engine.parent(portrait(PERSON)), editor, "age", ["8y", "60y"], {"smile": 1})
    young, old = (load_latent(made / f"age-{years}y.safetensors") for years in (8, 60))
    for one, other in zip(strip.latents, (young, old), strict=True):
        assert float((one.code - other.code).abs().max()) < 1e-4
    assert strip.sheet(64).width == 3 * 64 + 2 * 8
    # Older and younger differ from each other more than either does from the person.
    apart = (young.code - old.code).norm()
    assert all((latent.code - strip.person.latent.code).norm() < apart for latent in (young, old))


def test_a_picture_is_named_and_it_is_a_picture(made: Path, tmp_path: Path) -> None:
    """The row alone, and how it was made; a folder of this name is still a folder."""
    words = ["strip", made / "age-8y.safetensors", "--edit", "smile=-1,1", "--side", "64", "--quiet"]
    code, text, error = here(*words, "--out", tmp_path / "row.png")
    assert (code, error) == (0, "")
    assert [Path(line).name for line in text.splitlines()] == ["row.png", "row.png.json"]
    assert read_image(tmp_path / "row.png").width == 3 * 64 + 2 * 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["row.png", "row.png.json"]
    (tmp_path / "folder.png").mkdir()
    code, _, error = here(*words, "--out", tmp_path / "folder.png")
    assert (code, error) == (0, "") and (tmp_path / "folder.png" / "strip.png").is_file()


@pytest.mark.parametrize("command", ["tree family.toml", "partner c.jpg p.jpg", "demo", "run f.jpg m.jpg"])
def test_a_folder_is_not_named_like_a_picture(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("family.toml", "c.jpg", "p.jpg", "f.jpg", "m.jpg"):
        Path(name).write_bytes(b"there")
    code, _, error = here(*command.split(), "--out", "child.gif")
    assert code == 2 and "child.gif is named like a file" in error and "give child" in error


def test_a_latent_will_do_and_strengths_too(made: Path, tmp_path: Path) -> None:
    words = ["--edit", "smile=-1,1", "--out", tmp_path / "out", "--json", "--quiet"]
    code, text, error = here("strip", made / "age-8y.safetensors", *words)
    assert (code, error) == (0, "")
    assert json.loads(text)["values"] == ["-1", "1"]
    assert (tmp_path / "out" / "smile--1.png").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--age", "8", "--edit", "smile=1"], "give --age or --edit"),
        (["--edit", "smile"], "comma between"),
        (["--edit", "smile="], "comma between"),
        (["--age", "8,8y"], "twice"),
        (["--age", "old"], "age"),
        (["--age", "300"], "age"),
        (["--age", "8", "--with", "age=9y"], "leave it out"),
        (["--edit", "height=1"], "can't move 'height'"),
    ],
)
def test_what_will_not_do_is_said_before_any_work(words: list[str], said: str, tmp_path: Path, made: Path) -> None:
    code, _, error = here("strip", made / "age-8y.safetensors", *words, "--out", tmp_path / "out")
    assert (code, said in error) == (2, True), error
    assert not (tmp_path / "out").exists()


def test_no_value_at_all(engine: Engine) -> None:
    with pytest.raises(UsageError, match="at least one"):
        plan_strip(engine.editor(), "age", [])
