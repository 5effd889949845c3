"""Files appear whole or not at all, by the umask, as plain files, and never in the place of an input."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from published_checkpoints import in_rosinalitys_names, toy, write_rosinality

from kinblend import Latent, save_latent
from kinblend.errors import OutputError
from kinblend.files import (
    append_text,
    atomic_write,
    inputs_kept,
    keep_inputs,
    leftovers,
    open_plain,
    remove_leftovers,
    replacing,
)
from kinblend.imaging.encode import write_picture
from kinblend.pack_import import import_pack
from kinblend.storage.packs import annotate
from kinblend.storage.tables import write_table
from kinblend_plugins.blenders.heredity import Heredity, save_heredity


@pytest.fixture
def umask() -> Iterator[Callable[[int], None]]:
    before = os.umask(0)
    os.umask(before)
    yield lambda mask: os.umask(mask) and None
    os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664), (0o000, 0o666)])
def test_finding_05_every_kind_of_file_has_the_permissions_of_the_umask(
    mask: int, mode: int, umask: Callable[[int], None], tmp_path: Path, latent: Latent
) -> None:
    umask(mask)
    for _ in range(2):  # new, and in the place of another
        save_latent(tmp_path / "latent", latent)
        save_heredity(tmp_path / "weights", Heredity(4, "dlib"))  # safetensors itself writes for its owner alone
        write_picture(tmp_path / "picture", Image.new("RGB", (4, 4)))
        write_table(tmp_path / "table.csv", {"a": int}, [{"a": 1}])
        atomic_write(tmp_path / "text", b"{}")
        append_text(tmp_path / "log", "line\n")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 6 and set(modes.values()) == {mode}, modes


@pytest.mark.parametrize(
    ("mask", "mode", "folder"), [(0o077, 0o600, 0o700), (0o022, 0o644, 0o755), (0o002, 0o664, 0o775)]
)
def test_every_file_of_an_imported_pack_has_the_permissions_of_the_umask(
    mask: int, mode: int, folder: int, umask: Callable[[int], None], tmp_path: Path
) -> None:
    write_rosinality(tmp_path / "r.pt", in_rosinalitys_names(toy(16)))
    umask(mask)
    pack = import_pack(tmp_path / "r.pt", tmp_path / "packs", "mine")
    annotate(pack, {"note": "another"})
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in pack.folder.iterdir()}
    assert modes == dict.fromkeys(("generator.safetensors", "pack.json"), mode)
    assert stat.S_IMODE(pack.folder.stat().st_mode) == folder


def special(kind: str, path: Path) -> None:
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "dangling link":
        path.symlink_to(path.parent / "nowhere")
    else:
        (path.parent / "other").write_text("mine")
        path.symlink_to(path.parent / "other")


WRITERS = {
    "atomic_write": lambda path: atomic_write(path, b"x"),
    "append_text": lambda path: append_text(path, "x"),
    "write_picture": lambda path: write_picture(path, Image.new("RGB", (4, 4))),
    "save_heredity": lambda path: save_heredity(path, Heredity(4, "dlib")),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", ["FIFO", "socket", "link", "dangling link"])
def test_finding_06_nothing_is_written_to_or_over_what_is_no_plain_file(
    kind: str, writer: str, tmp_path: Path
) -> None:
    special(kind, tmp_path / "out")
    before = {path.name: path.lstat().st_ino for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match=r"out is a (link|device, a FIFO or a socket)"):
        WRITERS[writer](tmp_path / "out")
    assert {path.name: path.lstat().st_ino for path in tmp_path.iterdir()} == before
    assert "link" not in kind or not (tmp_path / "other").exists() or (tmp_path / "other").read_text() == "mine"


def test_finding_06_a_device_stays_one(tmp_path: Path) -> None:
    try:  # one of our own: /dev/null must not depend on whether this passes
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only the system's administrator makes devices")
    before = (tmp_path / "null").stat()
    with pytest.raises(OutputError, match="null is a device"):
        atomic_write(tmp_path / "null", b"x")
    after = (tmp_path / "null").stat()
    assert stat.S_ISCHR(after.st_mode) and (after.st_ino, after.st_rdev) == (before.st_ino, before.st_rdev)


def test_a_folder_is_refused_as_one(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        atomic_write(tmp_path, b"x")


@pytest.mark.parametrize("name", ["same", "hard", "soft", "folder/../same"])
def test_finding_03_an_input_is_kept_by_whichever_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "same").write_text("mine")
    (tmp_path / "hard").hardlink_to(tmp_path / "same")
    (tmp_path / "soft").symlink_to(tmp_path / "same")
    with inputs_kept([tmp_path / "same"]), pytest.raises(OutputError, match=r"is (an input|a link)"):
        atomic_write(tmp_path / name, b"x")
    with inputs_kept([]), pytest.raises(OutputError, match=r"is (an input|a link)"):
        keep_inputs([tmp_path / "same", tmp_path / "nobody", tmp_path])
        atomic_write(tmp_path / name, b"x")
    assert (tmp_path / "same").read_text() == "mine"
    atomic_write(tmp_path / "same", b"outside of a command")


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "a") as part:
        part.write_text("new")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "old"


def test_what_a_killed_process_leaves_can_be_told_from_other_files(tmp_path: Path) -> None:
    code = "import os, sys\nfrom kinblend.files import replacing\n"
    code += "with replacing(sys.argv[1]) as part: os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=False)
    for name in (".a.png.mine.part", "a.png.0123456789ab.part", ".b.png.0123456789ab.part"):
        (tmp_path / name).touch()
    [left] = leftovers([tmp_path / "a.png", tmp_path / "nowhere" / "b"])
    assert left.name.startswith(".a.png.") and left.stat().st_size == 0


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody can ask whether a process lives")
def test_what_a_killed_process_left_goes_when_its_file_is_written(tmp_path: Path) -> None:
    code = "import os, sys\nfrom kinblend.files import replacing\n"
    code += "held = [replacing(name) for name in sys.argv[1:]]\nfor one in held:\n    one.__enter__()\nos._exit(9)"
    subprocess.run([sys.executable, "-c", code, *map(str, (tmp_path / "a.png", tmp_path / "b.png"))], check=False)
    mine = tmp_path / f".a.png.{os.getpid():06x}abcdef.part"  # of somebody who is at work
    for path in (mine, tmp_path / ".a.png.part"):
        path.touch()
    assert len(list(tmp_path.iterdir())) == 4
    atomic_write(tmp_path / "a.png", b"x")
    names = {path.name for path in tmp_path.iterdir()}
    assert {"a.png", ".a.png.part", mine.name} < names and len(names) == 4
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", ".a.png.part", mine.name}


@pytest.mark.parametrize("kind", ["FIFO", "device", "folder"])
def test_finding_01_only_plain_files_are_read_and_nothing_is_waited_for(kind: str, tmp_path: Path) -> None:
    path = {"device": Path("/dev/zero"), "folder": tmp_path}.get(kind, tmp_path / "fifo")
    if kind == "FIFO":
        os.mkfifo(path)
    with pytest.raises(OSError, match=r"plain file|directory"):
        open_plain(path)


def test_findings_05_and_06_no_other_module_writes_files() -> None:
    """Whoever writes on their own forgets the umask, links and inputs."""
    root = Path(__file__).parent.parent
    ways = (".write_text(", ".write_bytes(", '.open("w', '.open("a', '.open("x', "os.umask(", "chmod(", "savefig(")
    # What writes into a folder of its own making, or to what is no file of the user's.
    known = {
        "kinblend/files.py",
        "kinblend/bench/scale.py",
        "kinblend/bench/timing.py",
        "kinblend/imaging/figures.py",
        "kinblend/object_stores/copies.py",
        "kinblend/storage/pip_download.py",
        "kinblend/training/checkpoint.py",
    }
    found = {
        path.relative_to(root).as_posix()
        for top in ("kinblend", "plugins")
        for path in (root / top).rglob("*.py")
        if any(way in path.read_text("utf-8") for way in ways)
    }
    assert found == known
    for path in (root / "plugins").rglob("*.py"):
        text = path.read_text("utf-8")
        assert text.count("save_file(") == 0 or "replacing(" in text, path


def test_arrays_and_json_come_back_as_they_were(tmp_path: Path) -> None:
    atomic_write(tmp_path / "deep" / "a.json", json.dumps({"a": 1}).encode())
    with replacing(tmp_path / "b.npy") as part, part.open("wb") as file:
        np.save(file, torch.arange(3).numpy())
    with open_plain(tmp_path / "b.npy") as file:
        assert np.load(file).tolist() == [0, 1, 2]
