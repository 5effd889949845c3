"""No command writes over one of its inputs, whichever way it is named, and none leaves a part of a file."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from plugin_site import here
from toy_faces import write_faces

from kinblend import Latent, load_backbone, save_latent
from kinblend.imaging import read_image

TRIOS = "family,father,mother,child\n" + "".join(f"f{n},{n}f.jpg,{n}m.jpg,{n}c.jpg\n" for n in range(12))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With two latents, pictures, a table of trios and a zip of faces."""
    monkeypatch.chdir(tmp_path)
    space, generator = load_backbone("morphable").space, torch.Generator().manual_seed(1)
    for name in ("f", "m"):
        save_latent(f"{name}.safetensors", Latent(torch.randn(4, 512, generator=generator), space))
    (tmp_path / "out").mkdir()
    for name in ("out/child.png", "out/f.png", *(f"{n}{who}.jpg" for n in range(12) for who in "fmc")):
        Image.new("RGB", (99, 99), (len(name), 7, 7)).save(name)
    Path("t.csv").write_text(TRIOS)
    shutil.copy("t.csv", "set.csv")
    shutil.copy("f.safetensors", "T.safetensors")
    write_faces(tmp_path / "faces.zip")
    return tmp_path


# The command without what it writes; the input; and the file that would be written over it.
COMMANDS = {
    "run": (["run", "--father", "out/child.png", "--mother", "1m.jpg", "--out", "out"], "out/child.png"),
    "align": (["align", "1f.jpg", "--out"], "1f.jpg"),
    "encode": (["encode", "1f.jpg", "--out"], "1f.jpg"),
    "project": (["project", "1f.jpg", "--out"], "1f.jpg"),
    "project --start": (["project", "1f.jpg", "--start", "f.safetensors", "--out"], "f.safetensors"),
    "blend, the father": (["blend", "f.safetensors", "m.safetensors", "--out"], "f.safetensors"),
    "blend, the mother": (["blend", "f.safetensors", "m.safetensors", "--out"], "m.safetensors"),
    "blend --set": (
        ["blend", "f.safetensors", "m.safetensors", "--set", "blender.shares=1f.jpg", "--out"],
        "1f.jpg",
    ),
    "edit": (["edit", "m.safetensors", "--edit", "age=1", "--out"], "m.safetensors"),
    "stats": (["families", "stats", "t.csv", "--out"], "t.csv"),
    "stats, a picture": (["families", "stats", "t.csv", "--out"], "1f.jpg"),
    "trios": (["families", "trios", "t.csv", "--out"], "t.csv"),
    "demographics": (["families", "demographics", "t.csv", "--out"], "t.csv"),
    "encode trios": (["families", "encode", "t.csv", "--out"], "t.csv"),
    "encode trios, a picture": (["families", "encode", "t.csv", "--out"], "3c.jpg"),
    "train": (["train", "blender", "learned", "--trios", "T.safetensors", "--out"], "T.safetensors"),
    "train, of several": (["train", "blender", "learned", "--trios=t.csv,T.safetensors", "--out"], "T.safetensors"),
    "train directions": (
        ["train", "directions", "rated", "--faces", "faces.zip", "--ratings", "t.csv", "--out"],
        "faces.zip",
    ),
    "bench": (["bench", "--father", "1f.jpg", "--mother", "1m.jpg", "--step", "blend", "--out"], "1f.jpg"),
    "pack-faces": (["pack-faces", "faces.zip"], "faces.zip"),
}
WAYS: dict[str, Callable[[Path], Path]] = {
    "itself": lambda path: path,
    "hard link": lambda path: linked(path, Path.hardlink_to),
    "symbolic link": lambda path: linked(path, Path.symlink_to),
}


def linked(path: Path, how: Callable[[Path, Path], None]) -> Path:
    link = path.with_name(f"link{path.suffix}")
    how(link, path.resolve())
    return link


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", COMMANDS)
def test_finding_03_no_command_writes_over_its_input(name: str, way: str, folder: Path) -> None:
    words, target = COMMANDS[name]
    if words[-1] == "out":
        if way != "itself":
            pytest.skip("it names its files itself")
        words, out = words[:-1], Path("out")
    else:
        out = WAYS[way](Path(target))
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    code, _, error = here(*words, out, "--quiet") if name != "pack-faces" else here(*words, out)
    assert code == 2, error
    assert "is an input of this command" in error or "is a link" in error or "is the source itself" in error
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert read_image("out/child.png").size == (99, 99)


def test_finding_03_pictures_do_not_take_the_place_of_photographs_that_are_inputs(folder: Path) -> None:
    (folder / "out" / "m.png").hardlink_to(folder / "f.safetensors")
    code, _, error = here("render", "f.safetensors", "m.safetensors", "--out", "out", "--quiet")
    assert (code, "out/m.png is an input" in error) == (2, True), error
    assert read_image("out/f.png").size == (99, 99)


def test_finding_03_nothing_in_the_folder_of_a_set_is_written_over(folder: Path) -> None:
    (folder / "set").mkdir()
    for letter in "FMS":
        shutil.copy("1f.jpg", f"set/FMS-1-{letter}.jpg")
    Path("set/notes.csv").write_text("mine")
    code, _, error = here("families", "trios", "set", "--out", "set/notes.csv", "--quiet")
    assert (code, "set/notes.csv is an input" in error) == (2, True), error
    assert Path("set/notes.csv").read_text() == "mine"
    assert here("families", "trios", "set", "--out", "set/new.csv", "--quiet")[0] == 0


def test_finding_03_the_files_of_the_pack_in_use_are_kept(folder: Path) -> None:
    shutil.copytree(load_backbone("morphable").pack.folder, "pack")
    for name in ("pack.json", "generator.safetensors"):
        before = (folder / "pack" / name).read_bytes()
        words = ["blend", "f.safetensors", "m.safetensors", "--backbone", "./pack", "--quiet"]
        code, _, error = here(*words, "--out", f"pack/{name}")
        assert (code, f"pack/{name} is an input" in error) == (2, True), error
        assert (folder / "pack" / name).read_bytes() == before
    assert here("models", "add", "./pack", "pack/directions.safetensors", "--quiet")[0] == 0


def test_an_output_of_an_earlier_run_may_be_written_over(folder: Path) -> None:
    for _ in range(2):
        code, _, error = here("blend", "f.safetensors", "m.safetensors", "--out", "child.safetensors", "--quiet")
        assert code == 0, error


@pytest.mark.parametrize("name", ["edit", "trios", "encode"])
def test_finding_06_an_out_that_is_a_link_or_a_fifo_is_left_alone(name: str, folder: Path) -> None:
    os.mkfifo("fifo.csv")
    Path("link.csv").symlink_to("victim.csv")
    Path("victim.csv").write_text("mine")
    for out in ("fifo.csv", "link.csv"):
        code, _, error = here(*COMMANDS[name][0], out, "--quiet")
        assert (code, error.count("\n")) == (2, 1), error
    assert Path("victim.csv").read_text() == "mine" and Path("link.csv").is_symlink() and Path("fifo.csv").is_fifo()


def test_finding_02_a_packing_that_fails_leaves_the_archive_that_was_there(folder: Path) -> None:
    code, _, error = here("pack-faces", "faces.zip", "small.zip", "--size", "16")
    assert code == 0, error
    before = Path("small.zip").read_bytes()
    Path("broken.zip").write_bytes(Path("faces.zip").read_bytes().replace(b"PNG", b"GNP"))
    code, _, error = here("pack-faces", "broken.zip", "small.zip")
    assert (code, error.count("\n")) == (3, 1), error
    assert Path("small.zip").read_bytes() == before
    assert not list(folder.glob(".*"))


def test_finding_02_packing_an_archive_onto_itself_keeps_it(folder: Path) -> None:
    """Also where a plugin's author calls it without the command line."""
    from kinblend.errors import OutputError
    from kinblend_plugins.stylegan2.training.faces import pack

    before = Path("faces.zip").read_bytes()
    with pytest.raises(OutputError, match="is the source itself"):
        pack(Path("faces.zip"), folder / "faces.zip", 16, 85)
    assert Path("faces.zip").read_bytes() == before


def test_finding_03_every_command_keeps_its_inputs() -> None:
    """Also those that plugins bring, and those that nobody has written yet."""
    from test_output import ALL

    from kinblend.cli.command import GuardedCommand

    assert len(ALL) > 30
    assert [name for name, command in ALL.items() if not isinstance(command, GuardedCommand)] == []
