"""`kinblend bench`, small, on packs that exist and on one that another implementation runs beside."""

import json
from pathlib import Path

import pytest
from published import toy
from safetensors.torch import save_file
from strangers import here

from kinblend import write_description
from kinblend_plugins.stylegan2.names import to_nvidia

RIVAL = """
import torch
from safetensors.torch import load_file
from kinblend_plugins.stylegan2.generator import Generator
from kinblend_plugins.stylegan2.names import translate

def synthesize(pack):
    generator = Generator([4, 4, 4], 2)
    generator.load_state_dict(translate(load_file(pack.files["generator.safetensors"])))
    noises = [conv.noise for conv in generator.convs]
    return lambda codes: {factor} * generator(codes.requires_grad_(), noises).detach()
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    folder.mkdir()
    generator = toy(16)
    save_file(to_nvidia(generator.state_dict()), folder / "generator.safetensors")
    description = {
        "name": "toy",
        "encoder": None,
        "projector": "stylegan2",
        "layers": generator.layers,
        "dim": generator.dim,
        "resolution": 16,
        "generator": "generator.safetensors",
    }
    write_description(folder, description, ["generator.safetensors"])
    return folder


def test_every_step_that_a_pack_allows_is_timed(pack: Path, tmp_path: Path) -> None:
    words = ["--backbone", str(pack), "--rounds", "1", "--size", "8", "--size", "64", "--batch", "2", "--batch", "3"]
    code, out, error = here("bench", *words, "--json", "--quiet", "--out", str(tmp_path / "r.json"))
    assert (code, error) == (0, "")
    report = json.loads(out)
    assert json.loads((tmp_path / "r.json").read_text()) == report
    made = [(case["step"], case.get("size"), case.get("batch")) for case in report["cases"]]
    half = [("load", None, None), ("blend", None, None), ("synthesize", 8, 1), ("synthesize", 16, 1)]
    half += [("batch", 16, 2), ("batch", 16, 3), ("project", None, None), ("train", None, 3)]
    assert made == 2 * half
    assert {case["precision"] for case in report["cases"]} == {"fp32", "bf16"}
    assert all(case["peak_rss"] > 1 << 20 for case in report["cases"])
    assert report["hardware"]["threads"] > 0


def test_another_implementation_runs_beside_ours(pack: Path, tmp_path: Path) -> None:
    path = tmp_path / "rival.py"
    words = ["bench", "--backbone", str(pack), "--rounds", "1", "--step", "load", "--precision", "fp32", "--json"]
    for factor, differs in (("1", False), ("2", True)):
        path.write_text(RIVAL.replace("{factor}", factor))
        case = json.loads(here(*words, "--against", str(path))[1])["against"][0]
        assert case["ratio"] == pytest.approx(case["reference_seconds"] / case["seconds"])
        assert (case["largest_difference"] > 1e-4) is differs


def test_the_picture_of_a_report(pack: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ["--backbone", str(pack), "--rounds", "1", "--step", "synthesize", "--step", "batch", "--batch", "1"]
    assert here("bench", *words, "--plot", str(tmp_path / "p.svg"))[0] == 0
    assert "<svg" in (tmp_path / "p.svg").read_text()


def test_words_that_are_off(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0")
    (tmp_path / "empty.py").touch()
    for words, says in (
        (["--step", "dance"], "there is no step 'dance'"),
        (["--against", str(tmp_path / "none.py")], "is no Python file"),
        (["--against", str(tmp_path / "bad.py")], "fails: ZeroDivisionError"),
        (["--against", str(tmp_path / "empty.py")], "has no function synthesize"),
        (["--precision", "int3"], "precision 'int3'"),
    ):
        code, _, error = here("bench", "--backbone", str(pack), *words)
        assert (code, says in error) == (2, True), error


def test_the_parts_of_a_cold_run() -> None:
    words = ["bench", "--step", "cold", "--precision", "fp32", "--rounds", "1", "--quiet"]
    code, out, error = here(*words, "--json")
    assert (code, error) == (0, "")
    [case] = json.loads(out)["cases"]
    parts = case["profile"]
    stages = {"detect", "encode", "blend", "edit", "render", "compare", "save"}
    assert stages | {"interpreter", "PyTorch", "pack", "weights", "landmarks", "leave"} <= set(parts)
    assert all(seconds >= 0 for seconds in parts.values())  # one clock for both processes
    rows = [line.split("\t") for line in here(*words)[1].splitlines()]
    assert [row[0] for row in rows][:2] == ["cold", "cold: interpreter"]
    assert {row[0] for row in rows} == {"cold", *(f"cold: {part}" for part in parts)}
    assert {len(row) for row in rows} == {9}
