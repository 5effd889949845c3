"""The commands around one run, as a user strings them together, on the embedded backbone and on an imported one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from plugin_site import Site
from portraits import portrait
from published_checkpoints import in_nvidias_names, toy, write_nvidia

from kinblend.cli.demo import FATHER, MOTHER


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """With both parents encoded."""
    site = Site(tmp_path_factory.mktemp("steps"))
    for name, person in (("father", FATHER), ("mother", MOTHER)):
        done = site.here("encode", portrait(person), "--out", f"{name}.safetensors")
        assert (done.returncode, done.stdout) == (0, f"{name}.safetensors\n"), done.stderr
    return site


def opened(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        picture.load()
        return picture


def test_the_steps_one_by_one_give_what_run_gives(site: Site) -> None:
    words = ["--blender", "mask", "--set", "blender.by=layer", "--seed", "4"]
    for command in (
        ["blend", "father.safetensors", "mother.safetensors", *words, "--set", 'editor.keep=["smile"]'],
        ["edit", "child.safetensors", "--edit", "age=-1", "--set", 'editor.keep=["smile"]'],
        ["render", "edited.safetensors"],
    ):
        done = site.kinblend(*command)
        assert done.returncode == 0, done.stderr
    parents = ["--father", portrait(FATHER), "--mother", portrait(MOTHER), "--quiet", "--out", "whole"]
    edits = ["--edit", "age=-1", "--edit", "gender=0", "--set", 'editor.keep=["smile"]']
    done = site.kinblend("run", *parents, *words, *edits, "--json")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["blender"]["options"]["by"] == "layer"
    assert manifest["editor"]["options"]["keep"] == ["smile"]
    assert set(manifest["similarity"][0]) == {"father", "mother"}
    one, other = (opened(site.folder / name) for name in ("edited.png", "whole/child.png"))
    assert one.tobytes() == other.tobytes()


def test_a_sheet_shows_everyone_once_with_a_caption(site: Site) -> None:
    parents = ["--father", portrait(FATHER), "--mother", portrait(MOTHER), "--quiet"]
    parents = parents[:-1]
    done = site.here("run", *parents, "--children", 3, "--blender", "mask", "--sheet", "--out", "three")
    assert done.returncode == 0, done.stderr
    [said] = [line for line in done.stderr.splitlines() if "--age N" in line]
    assert "of 8 years" in said and "girl" in said and "boy" in said
    assert len(done.stdout.splitlines()) == 8
    row = 384 + 8 + 384 // 14 + 8  # picture, caption and what is between them
    assert opened(site.folder / "three" / "sheet.png").size == (3 * 392 - 8, 2 * row - 8)


def test_align_cuts_a_square_that_encodes_to_nearly_the_same_latent(site: Site) -> None:
    done = site.here("align", portrait(FATHER), "--out", "crop.png", "--size", 512)
    assert done.returncode == 0, done.stderr
    picture = opened(site.folder / "crop.png")
    assert picture.size == (512, 512)
    assert "Description" not in picture.text  # a photograph's crop is not called synthetic
    done = site.here("encode", "crop.png", "--aligned", "--out", "again.safetensors")
    assert done.returncode == 0, done.stderr
    import torch

    from kinblend import load_latent

    one, other = (load_latent(site.folder / f"{name}.safetensors").code for name in ("father", "again"))
    assert float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0)) > 0.8


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["project", portrait(FATHER)], 2, "can't project an image; use encode"),
        (["edit", "father.safetensors", "--edit", "wings=1"], 2, "can't move 'wings'"),
        (["blend", "father.safetensors", "none.safetensors"], 3, "none.safetensors does not exist"),
        (
            ["blend", "father.safetensors", "mother.safetensors", "--set", "encoder.size=1"],
            2,
            "only options of blender",
        ),
        (["encode", portrait(FATHER), "--aligned", "--backbone", "nobody"], 4, "there is no pack 'nobody'"),
        (["run", "--father", "x.jpg", "--mother", "y.jpg", "--quiet"], 3, "x.jpg"),
        (["render", "father.safetensors", "other/father.safetensors"], 2, "the same file name"),
        (["train", "backbone", "morphable"], 2, "faces"),
        (["train", "backbone", "morphable", "--faces", "x", "--wings", "2"], 2, "has no option 'wings'"),
    ],
)
def test_wrong_words_and_inputs_get_one_line_and_their_exit_code(
    words: list, code: int, reason: str, site: Site
) -> None:
    done = site.here(*words)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert reason in done.stderr


def test_a_latent_of_another_backbone_is_refused_by_name(site: Site) -> None:
    ours = (site.folder / "father.safetensors").read_bytes()
    (site.folder / "altered.safetensors").write_bytes(ours[:-1] + bytes([ours[-1] ^ 1]))
    done = site.here("render", "altered.safetensors")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert "SHA-256" in done.stderr


@pytest.fixture(scope="module")
def imported(site: Site, e4e_pack: Path) -> str:
    """A StyleGAN2 backbone with made-up weights, imported by the command."""
    shutil.copytree(e4e_pack, site.folder / "home" / "packs" / e4e_pack.name, copy_function=os.link)
    return e4e_pack.name


def test_an_imported_backbone_runs_end_to_end(imported: str, site: Site) -> None:
    parents = ["--father", portrait(FATHER), "--mother", portrait(MOTHER), "--backbone", imported]
    done = site.here("run", *parents, "--blender", "layer", "--set", 'blender.shares={"coarse":1}', "--out", "gan")
    assert done.returncode == 0, done.stderr
    again = site.here("render", "gan/child.safetensors", "--backbone", imported, "--out", "again")
    assert again.returncode == 0, again.stderr
    first, second = (opened(site.folder / name) for name in ("gan/child.png", "again/child.png"))
    assert first.size == (256, 256) and first.tobytes() == second.tobytes()
    assert "no directions for age: the child has its parents' age" in done.stderr
    refused = site.here("run", *parents, "--age", 8)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "no directions for age" in refused.stderr
    refused = site.here("run", *parents, "--blender", "learned")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert f"{imported} has no weights for learned yet" in refused.stderr
    mixed = site.here("blend", "gan/child.safetensors", "father.safetensors")
    assert mixed.returncode == 3
    assert "encode the photograph again" in mixed.stderr


def test_projection_can_be_interrupted_and_gone_on_with(site: Site) -> None:
    write_nvidia(site.folder / "small.pkl", in_nvidias_names(toy(32)))
    assert site.here("models", "import", "small.pkl", "--name", "small").returncode == 0
    crop = site.folder / "target.png"
    opened(portrait(FATHER)).resize((256, 256)).save(crop)
    words = ["project", str(crop), "--aligned", "--backbone", "small"]
    command = [sys.executable, "-m", "kinblend.cli", *words, "--steps", "100000", "--out", "first.safetensors"]
    with subprocess.Popen(command, env=site.environ, cwd=site.folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("project, loss"):
            assert process.poll() is None
        os.kill(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 0
    assert "go on with --start first.safetensors" in said
    done = site.here(*words, "--steps", 2, "--start", "first.safetensors", "--out", "second.safetensors")
    assert done.returncode == 0, done.stderr
    rendered = site.here("render", "second.safetensors", "--backbone", "small")
    assert rendered.returncode == 0, rendered.stderr
