"""The main job on example people: real pictures, the embedded backbone, the command line in its own process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kinblend.cli.demo import FATHER, MOTHER, example
from kinblend.errors import InputError


def run(out: Path, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "kinblend.cli", "run", "--father", str(example(FATHER))]
    command += ["--mother", str(example(MOTHER)), "--out", str(out), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        done = run(tmp_path / name, "--blender", "mask", "--seed", "5", "--edit", "age=-1")
        assert done.returncode == 0, done.stderr
    for name in ("child.png", "child.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    manifests = [json.loads((tmp_path / name / "child.json").read_text()) for name in "ab"]
    for manifest in manifests:
        assert set(manifest.pop("cost")["seconds"]) == {"detect", "encode", "blend", "edit", "render", "compare"}
    assert manifests[0] == manifests[1]


@pytest.mark.parametrize("blender", ["average", "slerp"])
def test_a_share_of_one_gives_the_fathers_latent(blender: str) -> None:
    import torch

    from kinblend import Engine

    result = Engine().run(example(FATHER), example(MOTHER), blender, {"share": 1.0})
    assert torch.equal(result.children[0].latent.code, result.father.latent.code)
    assert torch.equal(result.children[0].latent.detail["residual"], result.father.latent.detail["residual"])


def test_a_picture_that_is_none_ends_with_code_3(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    from kinblend import Engine

    with pytest.raises(InputError, match=r"text\.jpg"):
        Engine().run(tmp_path / "text.jpg", example(MOTHER))
    done = run(tmp_path / "out", "--father", str(tmp_path / "text.jpg"))
    assert done.returncode == 3
    assert not (tmp_path / "out").exists()
