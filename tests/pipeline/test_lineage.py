"""Children of earlier runs are parents as photographs are: by their latent, or by their manifest."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from plugin_site import here

from kinblend import Engine, Latent, load_backbone, save_latent
from kinblend.errors import InputError, UsageError
from kinblend.pipeline.lineage import person_file

FAST = ["--no-judge", "--quiet"]


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two latents and, in `out`, the children of a run: one, and two of another."""
    folder, space = tmp_path_factory.mktemp("family"), load_backbone("morphable").space
    generator = torch.Generator().manual_seed(5)
    for name in ("f", "m"):
        code = torch.randn(space.layers, space.dim, generator=generator) / 2
        save_latent(folder / f"{name}.safetensors", Latent(code, space))
    parents = [folder / "f.safetensors", folder / "m.safetensors"]
    for out, children in (("out", "1"), ("two", "2")):
        code, _, error = here("run", *parents, *FAST, "--out", folder / out, "--children", children)
        assert (code, error) == (0, "")
    return folder


def test_a_manifest_stands_for_its_childs_latent(family: Path, tmp_path: Path) -> None:
    child, mother = family / "out" / "child", family / "m.safetensors"
    made = {}
    for kind in (".safetensors", ".json"):
        out = tmp_path / kind[1:]
        code, _, error = here("run", "--mother", mother, "--father", child.with_suffix(kind), *FAST, "--out", out)
        assert (code, error) == (0, "")
        made[kind] = (out / "child.png").read_bytes(), json.loads((out / "child.json").read_text())["inputs"]
    assert made[".json"] == made[".safetensors"]
    again = ["run", "--from", tmp_path / "json" / "child.json", "--father", child.with_suffix(".json")]
    code, _, error = here(*again, "--mother", mother, "--out", tmp_path / "again", *FAST)
    assert (code, error) == (0, "")
    assert (tmp_path / "again" / "child.png").read_bytes() == made[".json"][0]


@pytest.mark.parametrize(
    "words",
    [
        ["compare", "C", "M", "--blenders", "average", "--no-judge", "--out", "o"],
        ["strip", "C", "--edit", "smile=1", "--out", "o"],
        ["morph", "M", "M", "--through", "C", "--frames", "3", "--side", "64", "--out", "o/m.gif"],
        ["blend", "C", "M", "--out", "o/c.safetensors"],
        ["edit", "C", "--edit", "smile=1", "--out", "o/c.safetensors"],
        ["render", "C", "--out", "o"],
        ["batch", "B", "--workers", "1", "--out", "o"],
    ],
    ids=lambda words: words[0],
)
def test_every_command_that_takes_people_takes_it(words: list[str], family: Path, tmp_path: Path) -> None:
    places = {"C": family / "out" / "child.json", "M": family / "m.safetensors", "B": tmp_path / "list.csv"}
    places["B"].write_text(f"father,mother\n{places['C']},{places['M']}\n")
    given = [places.get(word, tmp_path / word if word[0] == "o" else word) for word in words]
    code, _, error = here(*given, "--quiet")
    assert (code, error) == (0, "")


def test_from_python_too(family: Path) -> None:
    engine = Engine("morphable", "cpu")
    found = engine.run(family / "out" / "child.json", family / "m.safetensors", neutral=False)
    assert torch.equal(found.father.latent.code, engine.parent(family / "out" / "child.safetensors").latent.code)


def test_children_whose_parents_lie_in_out_go_elsewhere(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(family / "out", tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    before = Path("out/child.json").read_bytes()
    code, _, error = here("run", "out/child.json", family / "m.safetensors", *FAST)
    assert (code, error) == (0, "")
    assert Path("out-2/child.json").is_file() and Path("out/child.json").read_bytes() == before
    code, _, error = here("run", "out/child.json", family / "m.safetensors", "--out", "out", *FAST)
    assert (code, "is an input of this command" in error) == (2, True), error


def test_a_manifest_of_several_children_names_them(family: Path) -> None:
    with pytest.raises(UsageError, match=r"is of 2 children; name one of them: .*child\.safetensors, .*child-2\.saf"):
        person_file(family / "two" / "child.json")
    assert person_file("a.jpg") == Path("a.jpg")


def manifest(**other: object) -> str:
    """As little of one as will do."""
    known = {"schema": 1, "request": {}, "inputs": {"father": {}, "mother": {}}, "seeds": [0], "asked": [{"age": 8}]}
    return json.dumps(known | other)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "can't be read"),
        ("{}", "is not a manifest"),
        ("[1]", "is not a manifest"),
        ("no", "is not a manifest"),
        ("[" * 10**5, "is not a manifest"),
        (manifest(seeds=[]), "is not a manifest"),
        (manifest(inputs={"father": {}}), "is not a manifest"),
        (manifest(faces=[1]), "is not a manifest"),
        (manifest(faces={"father": "2"}), "is not a manifest"),
        (manifest(asked=[{"age": "8"}]), "is not a manifest"),
        (manifest(asked=[{"sex": 1}]), "is not a manifest"),
        (manifest(asked=[{}, {}]), "is not a manifest"),
        (manifest(), "whose latent is gone"),
    ],
    ids=[
        "missing",
        "empty",
        "list",
        "text",
        "deep",
        "seeds",
        "inputs",
        "faces",
        "face",
        "age",
        "sex",
        "two",
        "latent",
    ],
)
def test_what_is_no_manifest_is_refused(text: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "child.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said):
        person_file(path)
    code, _, error = here("run", path, path, "--out", tmp_path / "out")
    assert (code, error.count("\n")) == (3, 1)
