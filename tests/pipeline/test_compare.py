"""The same two people by several strategies, side by side."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from plugin_site import here
from portraits import portrait

from kinblend import ChildRequest, Engine, Latent, load_backbone, save_latent
from kinblend.backbone import Backbone
from kinblend.errors import UsageError
from kinblend.pipeline.compare import compare_strategies, requests_of, usable_strategies

FATHER, MOTHER = "P001", "P004"
NAMES = ("average", "layer")


@pytest.fixture(scope="module")
def parents(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Father and mother as files of latents."""
    folder, space = tmp_path_factory.mktemp("parents"), load_backbone("morphable").space
    generator = torch.Generator().manual_seed(1)
    for name in ("f", "m"):
        code = torch.randn(space.layers, space.dim, generator=generator) / 2
        save_latent(folder / f"{name}.safetensors", Latent(code, space))
    return [folder / f"{name}.safetensors" for name in ("f", "m")]


@pytest.fixture(scope="module")
def made(parents: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison by the command line, with its picture named."""
    out = tmp_path_factory.mktemp("compared") / "sheet.png"
    words = ["--blenders", ",".join(NAMES), "--set", "average.share=0.3", "--no-judge", "--side", 64, "--out", out]
    code, text, error = here("compare", *parents, *words, "--sex", "girl", "--quiet")
    assert (code, error) == (0, "")
    assert {Path(line) for line in text.splitlines()} == set(out.parent.iterdir())
    return out


def test_one_picture_shows_all_and_each_strategy_has_a_manifest(made: Path) -> None:
    suffixes = (".png", ".safetensors", ".json")
    each = {f"sheet-{name}{suffix}" for name in NAMES for suffix in suffixes}
    assert {path.name for path in made.parent.iterdir()} == {made.name, *each}
    with Image.open(made) as sheet:
        assert sheet.width == 4 * (64 + 8) - 8
    average, layer = (json.loads(made.with_name(f"sheet-{name}.json").read_text()) for name in NAMES)
    assert (average["blender"]["name"], layer["blender"]["name"]) == NAMES
    assert (average["blender"]["options"]["share"], average["asked"]) == (0.3, layer["asked"])
    assert average["inputs"] == layer["inputs"]


@pytest.mark.parametrize("name", NAMES)
def test_a_child_is_the_one_that_a_run_of_its_strategy_makes(
    name: str, made: Path, parents: list[Path], tmp_path: Path
) -> None:
    again = made.with_name(f"sheet-{name}.json")
    words = ["--from", again, "--father", parents[0], "--mother", parents[1], "--out", tmp_path, "--quiet"]
    code, _, error = here("run", *words)
    assert (code, error) == (0, "")
    for kind, ours in (("png", "child.png"), ("safetensors", "child.safetensors")):
        assert (tmp_path / ours).read_bytes() == made.with_name(f"sheet-{name}.{kind}").read_bytes()


def test_photographs_are_encoded_once_and_several_children_are_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, encoded = Engine("morphable", "cpu", cached_parents=0), []
    encode = Backbone.encode
    monkeypatch.setattr(Backbone, "encode", lambda self, faces: encoded.append(len(faces)) or encode(self, faces))
    stages: list[tuple[str, str]] = []
    requests = requests_of(ChildRequest(age=9, sex="any", children=2), ["average", "mask"])
    found = compare_strategies(
        engine, portrait(FATHER), portrait(MOTHER), requests, lambda name, stage: stages.append((name, stage))
    )
    assert sum(encoded) == 2
    assert [name for name, stage in stages if stage == "render"] == ["average", "mask"]
    assert found.sheet(64).size == (2 * 72 - 8, 3 * (64 + 8 + 4 + 8) - 8)
    alike = [line for line in found.warnings if "the same child" in line]
    assert len(alike) == 1 and alike[0].startswith("average: "), "mask draws another one of each seed"


def test_of_each_strategy_in_a_folder_children_of_before_are_said_to_go(
    made: Path, parents: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["--blenders", "average", "--no-judge", "--out", out]
    for children in ("2", "1"):
        code, _, error = here("compare", *parents, *words, "--children", children)
        assert code == 0, error
        assert ("will be replaced" in error) == (children == "1")
    left = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert left == {"compare.png", "average/child.png", "average/child.safetensors", "average/child.json"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--blenders", ","], "--blenders ',': write names"),
        (["--blenders", "average,average"], "average stands there twice"),
        (["--blenders", "average,nobody"], "there is no blender 'nobody'"),
        (["--blenders", "average", "--set", "mask.share=0.2"], "only options of average and editor"),
        (["--blenders", "average", "--set", "average.wings=2"], "'average' has no option 'wings'"),
        (["--set", "slerp.share=0.2"], "slerp is not among the strategies"),
        (["--age", "300"], "age"),
    ],
)
def test_what_will_not_do_is_said_before_any_work(
    words: list[str], said: str, parents: list[Path], tmp_path: Path
) -> None:
    code, _, error = here("compare", *parents, *words, "--out", tmp_path / "out")
    assert (code, said in error) == (2, True), error
    assert not (tmp_path / "out").exists()


def test_two_people_and_a_strategy_are_needed(parents: list[Path]) -> None:
    assert "give both photographs" in here("compare", parents[0])[2]
    engine = Engine("morphable", "cpu")
    with pytest.raises(UsageError, match="at least one strategy"):
        compare_strategies(engine, *parents, {})


def test_by_default_all_that_the_backbone_has_weights_for() -> None:
    names, left_out = usable_strategies(Engine("morphable", "cpu").backbone)
    assert names[0] == "average" and {"mask", "learned"} <= set(names)
    assert left_out == []


def test_a_picture_is_not_written_over_a_parent(parents: list[Path], tmp_path: Path) -> None:
    (tmp_path / "compare.png").hardlink_to(parents[0])
    code, _, error = here("compare", *parents, "--blenders", "average", "--out", tmp_path)
    assert (code, "is an input of this command" in error) == (2, True), error
