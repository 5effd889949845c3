"""Every command has both ways to speak, and says in one line what can't be written, before it works."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import typer
from plugin_site import here
from safetensors.torch import save_file

from kinblend import Latent, load_backbone, save_latent
from kinblend.cli.app import app
from kinblend.cli.output import emit
from kinblend.cli.parsing import parse_sets
from kinblend.errors import UsageError
from kinblend.packs import write_description


def commands() -> Iterator[tuple[str, object]]:
    """All of them, those in groups too."""
    waiting = [("", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        inside = getattr(command, "commands", None)
        if inside is None:
            yield name, command
        else:
            waiting += [(f"{name} {key}".strip(), value) for key, value in inside.items()]


ALL = dict(commands())


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_command_can_speak_json_and_be_quiet(name: str) -> None:
    flags = {flag for parameter in ALL[name].params for flag in parameter.opts}
    assert {"--json", "--quiet"} <= flags


@pytest.mark.parametrize(
    "words",
    [
        ["plugins"],
        ["models", "list"],
        ["models", "show", "morphable"],
        ["models", "verify", "morphable"],
        ["blenders", "list"],
        ["encoders", "show", "e4e"],
        ["importers", "list"],
        ["trainers", "show", "morphable"],
        ["editors", "show", "interfacegan"],
    ],
    ids=" ".join,
)
def test_with_both_there_is_json_and_nothing_else(words: list[str]) -> None:
    code, out, error = here(*words, "--json", "--quiet")
    assert (code, error) == (0, "")
    assert json.loads(out)


def test_editors_show_their_attributes_and_trainers_their_flags() -> None:
    assert "--edit age=…" in here("editors", "show", "interfacegan")[1]
    assert "--faces\t" in here("trainers", "show", "morphable")[1]
    assert "--set blender.share=\t" in here("blenders", "show", "average")[1]


def outs(folder: Path) -> dict[str, Path]:
    """Places where nothing can be written, by why."""
    (folder / "file").touch()
    return {"below a file": folder / "file" / "x", "below /proc": Path("/proc/kinblend/x")}


# The inputs are not there: who gets as far as reading them has not checked the place first.
WRITERS = {
    "run": ["run", "--father", "no.jpg", "--mother", "no.jpg"],
    "align": ["align", "no.jpg"],
    "encode": ["encode", "no.jpg"],
    "project": ["project", "no.jpg"],
    "blend": ["blend", "no.safetensors", "no.safetensors"],
    "edit": ["edit", "no.safetensors", "--edit", "age=1"],
    "render": ["render", "no.safetensors"],
    "demo": ["demo"],
    "strip": ["strip", "no.jpg"],
    "compare": ["compare", "no.jpg", "no.jpg"],
    "partner": ["partner", "no.jpg", "no.jpg"],
    "morph": ["morph", "no.jpg", "no.jpg"],
    "card": ["card", "no.json"],
    "tree": ["tree", "no.toml"],
    "batch": ["batch", "no.csv"],
    "families encode": ["families", "encode", "no.csv"],
    "train backbone": ["train", "backbone", "morphable", "--faces", "no.zip"],
    "study prepare": ["study", "prepare", "no.csv"],
    "study analyze": ["study", "analyze", "no"],
    "analyze": ["analyze", "--trios", "no.safetensors"],
    "traverse": ["traverse", "1:2"],
    "evaluate blender": ["evaluate", "blender", "--trios", "no.safetensors"],
    "evaluate encoders": ["evaluate", "encoders", "no.jpg"],
    "train blender": ["train", "blender", "learned", "--trios", "no.safetensors"],
}

SUFFIXES = {"morph": ".webp", "card": ".png"}  # of those that write no other kind


def put_inputs(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that a command is to read are there, in a folder of their own; nobody looks into them before."""
    inputs = folder / "inputs"
    (inputs / "tests").mkdir(parents=True)
    monkeypatch.chdir(inputs)
    for word in words:
        if re.fullmatch(r"no\.\w+|[ab]|a\.jpg|x\.safetensors", word):
            Path(word).touch()


@pytest.mark.parametrize("name", WRITERS)
def test_a_place_where_nothing_can_be_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_inputs(WRITERS[name], tmp_path, monkeypatch)
    for why, out in outs(tmp_path).items():
        code, _, error = here(*WRITERS[name], "--out", out.with_suffix(SUFFIXES.get(name, "")))
        assert (code, error.count("\n")) == (1, 1), (why, error)
        assert str(out.parent) in error


@pytest.mark.parametrize(
    "name",
    ["run", "render", "demo", "strip", "compare", "partner", "tree", "batch", "study prepare", "study analyze"],
)
def test_a_file_where_a_folder_is_needed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_inputs(WRITERS[name], tmp_path, monkeypatch)
    (tmp_path / "file").touch()
    assert here(*WRITERS[name], "--out", tmp_path / "file") == (
        1,
        "",
        f"kinblend: {tmp_path}/file: Not a directory\n",
    )


@pytest.mark.parametrize("name", ["align", "encode", "project", "blend", "edit", "families encode", "train blender"])
def test_a_folder_where_a_file_is_needed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_inputs(WRITERS[name], tmp_path, monkeypatch)
    assert here(*WRITERS[name], "--out", tmp_path) == (1, "", f"kinblend: {tmp_path}: Is a directory\n")


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    (tmp_path / "net.pt").write_bytes(b"PK")
    code, _, error = here("models", "import", tmp_path / "net.pt", KINBLEND_HOME=tmp_path / "home")
    assert (code, error.count("\n")) == (1, 1)
    assert "home: Not a directory" in error


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["run", "--father", "a", "--mother", "b", "--seed", "99999999999999999999"], 2, "--seed"),
        (["run", "--father", "a", "--mother", "b", "--father-face", "0"], 2, "--father-face"),
        (["encode", "a.jpg", "--aligned", "--face", "2"], 2, "--face has nothing to choose from"),
        (["train", "backbone", "learned", "--trios", "x"], 2, "run `kinblend train blender learned`"),
        (["train", "blender", "morphable", "--faces", "x"], 2, "run `kinblend train backbone morphable`"),
        (["render", "a.safetensors", "--device", "meta"], 3, "does not exist"),
        (["blend", "tests", "tests"], 3, "is a folder"),
        (["models", "import", "tests"], 4, "is a folder"),
        (["models", "import", "x.pt", "--name", "../../evil"], 2, "use lower case letters"),
        (["models", "add", "morphable", "x.safetensors"], 2, "comes with a plugin"),
        (["analyze", "--trios", "x.safetensors", "--control", "shuffled"], 2, "write --control NAME=FILE"),
        (["evaluate", "blender", "--trios", "x", "--weights", "a=learned:b"], 3, "b does not exist"),
        (["analyze", "--trios", "x", "--device", "gpu"], 2, "'gpu'"),
        (["evaluate", "blender", "--trios", "x", "--precision", "fp8"], 2, "fp8"),
        (["edit", "x.safetensors", "--edit", "=2"], 2, "write --edit attribute=strength"),
        (["run", "--father", "a", "--mother", "b", "--set", "encoder.wings=2"], 2, "'morphable' has no option"),
        (["encode", "a.jpg", "--set", "projector.wings=2"], 2, "only options of encoder"),
        (["run", "--father", "a", "--mother", "b", "--editor", "nobody"], 2, "there is no editor 'nobody'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_usage(
    words: list[str], code: int, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_inputs(words, tmp_path, monkeypatch)
    out = [] if words[0] in ("models", "train") else ["--out", tmp_path / "out"]
    found, _, error = here(*words, *out, KINBLEND_HOME=tmp_path / "home")
    assert found == code, error
    assert reason in error


def test_strategies_that_lack_weights_on_a_backbone_say_so(tmp_path: Path) -> None:
    save_file({"w": torch.ones(3)}, tmp_path / "generator.safetensors")
    description = {"name": "bare", "encoder": None, "projector": "stylegan2", "layers": 4, "dim": 512}
    known = description | {"resolution": 8, "generator": "generator.safetensors"}
    write_description(tmp_path, known, ["generator.safetensors"])
    code, out, _ = here("blenders", "list", "--backbone", tmp_path, "--json")
    lists = {one["name"]: one["note"] for one in json.loads(out) if not one["available"]}
    assert (code, lists) == (
        0,
        {name: f"bare has no weights for {name} yet" for name in ("learned", "likeness", "parts")},
    )
    assert "not available" not in here("blenders", "list", "--backbone", "morphable")[1]


def test_the_groups_of_a_backbones_layers_are_options(tmp_path: Path) -> None:
    assert "--set blender.shares.complexion=\t0 to 1\t\tlayers 1-1" in here("blenders", "show", "layer")[1]
    sets = ["blender.shares.head-and-pose=1", "blender.shares.features=0.25", "blender.default=0.5"]
    shares = {"head-and-pose": 1, "features": 0.25}
    assert parse_sets(sets, ("blender",)) == {"blender": {"shares": shares, "default": 0.5}}
    with pytest.raises(UsageError, match="no mapping"):
        parse_sets(["blender.default=0.5", "blender.default.features=1"], ("blender",))


def test_help_names_folders_and_reads_as_sentences() -> None:
    analyze, likeness, run = (
        here(*words, "--help", COLUMNS=200)[1] for words in (["analyze"], ["train", "blender", "likeness"], ["run"])
    )
    assert re.search(r"--out +FOLDER +Folder for report", analyze)
    assert "Train the heredity of the blender `likeness`" in " ".join(likeness.split())
    [panel] = [part for part in run.split("╭─ ")[1:] if "--upscale" in part]
    assert panel.startswith("Photographs")


def test_a_misplaced_verbose_is_told_where_it_stands() -> None:
    for flag in ("-vv", "-v", "--verbose"):
        code, _, error = here("plugins", flag)
        assert (code, "stand before the command: kinblend -v run" in error) == (2, True), error
    assert "stand before" not in here("plugins", "--values")[2]


def test_a_heading_of_one_column_is_not_left_alone(capsys: pytest.CaptureFixture) -> None:
    emit(["a"], as_json=False, rows=[["a.png"]], head=["file"])
    emit(["a"], as_json=False, rows=[["a", "b"]], head=["file", "state"])
    assert capsys.readouterr() == ("a.png\na\tb\n", "file\tstate\n")


def test_the_library_is_silent_and_tells_what_it_does_when_asked(tmp_path: Path) -> None:
    words = ["render", "--backbone", "morphable", "--out", tmp_path, tmp_path / "a.safetensors"]
    space = load_backbone("morphable").space
    save_latent(tmp_path / "a.safetensors", Latent(torch.zeros(space.layers, space.dim), space))
    silent, told, detailed = (here(*more, *words)[2] for more in ([], ["-v"], ["-vv"]))
    assert silent == ""
    assert "kinblend.backbone: backbone morphable: " in told
    assert "kinblend.device.pool: projector: leased, " in detailed and "leased" not in told
    assert here(*words)[2] == "", "the next command is silent again"
