"""`kinblend run --from child.json` makes the same children again, and says what it needs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from plugin_site import here
from portraits import portrait

from kinblend.cli.demo import FATHER, MOTHER

PARENTS = ["--father", portrait(FATHER), "--mother", portrait(MOTHER), "--backbone", "morphable"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of two children by a mask from a file, with an edit."""
    folder = tmp_path_factory.mktemp("made")
    np.save(folder / "mask.npy", np.r_[np.ones(256), np.zeros(256)].astype(np.float32))
    words = ["--blender", "mask", "--set", f"blender.file={folder / 'mask.npy'}", "--seed", "4", "--children", "2"]
    words += ["--set", "projector.background=father", "--edit", "smile=1", "--sex", "girl", "--no-judge"]
    code, _, error = here("run", *PARENTS, *words, "--out", folder / "out", "--quiet")
    assert code == 0, error
    return folder


def test_the_same_bytes_come_again(made: Path, tmp_path: Path) -> None:
    again = ["run", "--from", made / "out" / "child.json", "--set", f"blender.file={made / 'mask.npy'}"]
    code, _, error = here(*again, "--father", portrait(FATHER), "--mother", portrait(MOTHER), "--out", tmp_path / "b")
    assert code == 0, error
    for name in ("child.png", "child-2.png", "child.safetensors", "child-2.safetensors"):
        assert (tmp_path / "b" / name).read_bytes() == (made / "out" / name).read_bytes()
    one, other = (json.loads((folder / "child.json").read_text()) for folder in (made / "out", tmp_path / "b"))
    assert one | {"cost": 0} == other | {"cost": 0}


def test_it_says_what_it_needs(made: Path, tmp_path: Path) -> None:
    manifest = json.loads((made / "out" / "child.json").read_text())
    copy = tmp_path / "mine.jpg"
    shutil.copy(portrait(FATHER), copy)
    mask, mother = ["--set", f"blender.file={made / 'mask.npy'}"], ["--mother", portrait(MOTHER)]
    father = manifest["inputs"]["father"]["sha256"]
    for words, code, said in (
        (mask, 2, f"give --father: the photograph with the SHA-256 {father}"),
        ([*mask, "--father", copy], 2, "give --mother: the photograph with the SHA-256"),
        (
            [*mask, "--father", portrait(MOTHER), *mother],
            3,
            f"is another photograph: the father's has the SHA-256 {father}",
        ),
        ([*mother, "--father", copy], 2, "give --set blender.file=FILE: the file with the SHA-256"),
        (
            ["--set", f"blender.file={copy}", "--father", copy, *mother],
            3,
            "is another file: blender.file has the SHA-256",
        ),
    ):
        found, _, error = here("run", "--from", made / "out" / "child.json", *words, "--out", tmp_path / "out")
        assert (found, said in error, error.count("\n")) == (code, True, 1), error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"request": 1}', "not json"])
def test_other_files_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "child.json").write_text(content)
    code, _, error = here("run", "--from", tmp_path / "child.json", "--out", tmp_path / "out")
    assert (code, "is not a manifest that kinblend run wrote" in error) == (3, True), error


def test_another_pack_can_t_make_them_again(made: Path, tmp_path: Path) -> None:
    manifest = json.loads((made / "out" / "child.json").read_text())
    manifest["backbone"]["files"]["generator.safetensors"] = "0" * 64
    (tmp_path / "child.json").write_text(json.dumps(manifest))
    words = ["--set", f"blender.file={made / 'mask.npy'}", *PARENTS[:4]]
    code, _, error = here("run", "--from", tmp_path / "child.json", *words, "--out", tmp_path / "out")
    assert (code, "made with other files of morphable: generator.safetensors" in error) == (2, True), error
