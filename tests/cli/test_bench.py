"""`kinblend bench`, small, on packs that exist and on one that another implementation runs beside."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import numpy as np
import pytest
from plugin_site import here
from published_checkpoints import toy
from safetensors.torch import save_file

from kinblend.packs import write_description
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
    half += [("batch", side, count) for side in (8, 16) for count in (2, 3)]
    half += [("project", None, None), ("train", None, 3)]
    assert made == 2 * half
    assert {case["precision"] for case in report["cases"]} == {"fp32", "bf16"}
    assert all(case["peak_rss"] > 1 << 20 for case in report["cases"])
    assert report["hardware"]["threads"] > 0


def test_another_implementation_runs_beside_ours(pack: Path, tmp_path: Path) -> None:
    words = ["bench", "--backbone", str(pack), "--rounds", "1", "--step", "load", "--precision", "fp32", "--json"]
    for factor, differs in (("1", False), ("2", True)):
        path = tmp_path / f"reference_{factor}.py"  # one name for both could be read from the first one's bytecode
        path.write_text(RIVAL.replace("{factor}", factor))
        case = json.loads(here(*words, "--against", str(path))[1])["against"][0]
        assert case["ratio"] == pytest.approx(case["reference_seconds"] / case["seconds"])
        assert (case["largest_difference"] > 1e-4) is differs


def test_openvino_runs_a_graph_beside_ours(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the library: its graph is the file's content, and always paints the same."""
    painted = np.random.default_rng(0).normal(size=(1, 3, 16, 16)).astype(np.float32)
    request = SimpleNamespace(infer=lambda inputs: {"picture": painted[: len(inputs[0])]})
    compiled = SimpleNamespace(create_infer_request=lambda: request)

    def read_model(graph: bytes, weights: bytes) -> object:
        shape = SimpleNamespace(is_static=True, to_shape=lambda: json.loads(graph))
        return SimpleNamespace(outputs=[SimpleNamespace(partial_shape=shape)])

    core = SimpleNamespace(read_model=read_model, compile_model=lambda *_: compiled)
    monkeypatch.setitem(sys.modules, "openvino", SimpleNamespace(Core=lambda: core))
    wheel = tmp_path / "generator.whl"
    with ZipFile(wheel, "w") as archive:
        for name, shape in (("a/mapping", [1, 512]), ("a/synthesis", [1, 3, 16, 16])):
            archive.writestr(f"{name}.xml", json.dumps(shape))
            archive.writestr(f"{name}.bin", b"")
    words = ["bench", "--backbone", str(pack), "--rounds", "1", "--step", "load", "--precision", "fp32", "--json"]
    code, out, error = here(*words, "--against", "openvino", "--reference-model", str(wheel))
    assert code == 0, error
    [case] = json.loads(out)["against"]
    assert case["ratio"] == pytest.approx(case["reference_seconds"] / case["seconds"])
    empty = tmp_path / "empty.whl"
    ZipFile(empty, "w").close()
    code, _, error = here(*words, "--against", "openvino", "--reference-model", str(empty))
    assert (code, "no graph that makes pictures of 16 px" in error) == (2, True)


def test_openvino_is_asked_for_where_it_is_missing(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    words = ["bench", "--backbone", str(pack), "--against", "openvino"]
    assert "--reference-model FILE" in here(*words)[2]
    code, _, error = here(*words, "--reference-model", "some.whl")
    assert (code, "pip install openvino" in error) == (2, True)


def test_the_picture_of_a_report(pack: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ["--backbone", str(pack), "--rounds", "1", "--step", "synthesize", "--step", "batch", "--batch", "1"]
    assert here("bench", *words, "--plot", str(tmp_path / "p.svg"))[0] == 0
    assert "<svg" in (tmp_path / "p.svg").read_text()


def test_finding_27_what_cannot_be_drawn_is_refused_before_the_work(pack: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ["bench", "--backbone", str(pack), "--rounds", "1"]
    code, _, error = here(*words, "--step", "blend", "--plot", str(tmp_path / "p.png"))
    assert (code, "--plot draws the steps synthesize and batch" in error) == (2, True), error
    code, _, error = here(*words, "--step", "batch", "--plot", str(tmp_path / "p.txt"))
    assert (code, "use .png or .svg" in error) == (2, True), error
    assert here(*words, "--step", "batch", "--batch", "1", "--plot", str(tmp_path / "p.png"))[0] == 0
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_invalid_usage(pack: Path, tmp_path: Path) -> None:
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


def test_the_parts_of_a_cold_run(tmp_path: Path) -> None:
    words = ["--step", "cold", "--precision", "fp32", "--rounds", "1", "--quiet"]
    code, out, error = here("bench", *words, "--out", tmp_path / "r.json")
    assert (code, error) == (0, "")
    [case] = json.loads((tmp_path / "r.json").read_text())["cases"]
    parts = case["profile"]
    stages = {"detect", "encode", "blend", "edit", "render", "compare", "save"}
    assert stages | {"interpreter", "PyTorch", "pack", "weights", "landmarks", "leave"} <= set(parts)
    assert all(seconds >= 0 for seconds in parts.values())  # one clock for both processes
    rows = [line.split("\t") for line in out.splitlines()]
    assert [row[0] for row in rows][:2] == ["cold", "cold: interpreter"]
    assert {row[0] for row in rows} == {"cold", *(f"cold: {part}" for part in parts)}
    assert {len(row) for row in rows} == {9}
