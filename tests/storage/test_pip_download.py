"""One file of a package, fetched by pip itself from a folder that stands in for the index."""

import hashlib
import json
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from openvino_files import WHEEL, write_wheel
from plugin_site import Site

from kinblend.errors import DownloadError
from kinblend.storage import pip_download
from kinblend.storage.pack_sources import PackageDownload
from kinblend.storage.pip_download import fetch_package


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip looks in, and in no other place, with a wheel."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return write_wheel(tmp_path / "index" / WHEEL)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def source(wheel: Path, sha256: str = "", requirement: str = "random-face==2021.7.21.1") -> PackageDownload:
    content = wheel.read_bytes()
    return PackageDownload(requirement, WHEEL, sha256 or hashlib.sha256(content).hexdigest(), len(content))


def test_pip_brings_the_file_and_nothing_else(index: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    (tmp_path / "to" / ".pip-of-a-killed-call").mkdir(parents=True)
    found = fetch_package(source(index), tmp_path / "to", lambda done, total: told.append((done, total)))
    assert found.read_bytes() == index.read_bytes()
    assert names(tmp_path / "to") == [WHEEL]
    assert told
    assert all(0 <= done <= (total or 0) == index.stat().st_size for done, total in told)


def test_a_file_that_is_there_is_not_fetched_again(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_package(source(index), tmp_path / "to")
    monkeypatch.setattr(pip_download.sys, "executable", "/nowhere")
    fetch_package(source(index), tmp_path / "to")
    (tmp_path / "to" / WHEEL).write_bytes(b"damaged")
    with pytest.raises(OSError):
        fetch_package(source(index), tmp_path / "to")


@pytest.mark.parametrize("what", ["another file", "no such version", "no such package"])
def test_what_pip_refuses_is_one_sentence(what: str, index: Path, tmp_path: Path) -> None:
    asked = {
        "another file": source(index, "0" * 64),
        "no such version": source(index, requirement="random-face==1"),
        "no such package": source(index, requirement="kinblend-no-such-package==1"),
    }
    with pytest.raises(DownloadError, match=r"^pip could not fetch [a-z-]+==[\d.]+: ") as caught:
        fetch_package(asked[what], tmp_path / "to")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert names(tmp_path / "to") == []


def test_the_hash_is_checked_here_as_well(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if pip had not looked."""
    monkeypatch.setattr(pip_download, "_download", lambda *_: index)
    with pytest.raises(DownloadError, match="its SHA-256 differs"):
        fetch_package(source(index, "0" * 64), tmp_path / "to")


def test_a_python_without_pip(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(pip_download, "distribution", none)
    with pytest.raises(DownloadError, match="this Python has no pip"):
        fetch_package(source(index), tmp_path / "to")


def test_a_pip_that_hangs_is_ended(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pip_download, "TIMEOUT", 0.1)
    monkeypatch.setattr(pip_download, "INTERVAL", 0.05)
    with pytest.raises(DownloadError, match="within 0 seconds"):
        fetch_package(source(index), tmp_path / "to")
    assert names(tmp_path / "to") == []


PLUGIN = """
import kinblend
import kinblend.packs
@kinblend.hookimpl
def kinblend_register_packs(register):
    file = kinblend.packs.PackageDownload("random-face==2021.7.21.1", {name!r}, {sha!r}, {size})
    register(kinblend.packs.PackSource("tiny", "a test", downloads=(file,), importer="random-face"))
"""


@pytest.fixture
def site(index: Path, tmp_path: Path) -> Site:
    """With a plugin whose pack is the wheel in the index."""
    site, file = Site(tmp_path / "site"), source(index)
    site.add("tiny", PLUGIN.format(name=WHEEL, sha=file.sha256, size=file.size))
    return site


def test_models_pull_asks_for_a_package(site: Site) -> None:
    done = site.kinblend("models", "pull", "tiny", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resolution"] == 32
    assert site.kinblend("models", "verify", "tiny").returncode == 0
    shown = json.loads(site.kinblend("models", "show", "tiny").stdout)
    assert shown["checkpoint"]["package"] == "random-face==2021.7.21.1"
    assert [path.name for path in (site.folder / "home").iterdir() if path.is_dir()] == ["packs"]


def test_without_a_network_one_sentence_says_what_to_do(site: Site, index: Path) -> None:
    index.unlink()
    for environ in ({"KINBLEND_OFFLINE": "1"}, {}):
        refused = site.kinblend("models", "pull", "tiny", "--quiet", **environ)
        assert refused.returncode == 4
        assert refused.stderr.count("\n") == 1
        assert (
            f"get {WHEEL} on another machine and run `kinblend models import {WHEEL} --name tiny`" in refused.stderr
        )


def test_a_kill_leaves_no_half_pack_and_the_next_pull_succeeds(site: Site) -> None:
    command = [sys.executable, "-m", "kinblend.cli", "models", "pull", "tiny"]
    process = subprocess.Popen(
        command, env=site.environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("importing"):
            break
    process.send_signal(signal.SIGKILL)
    process.stderr.close()
    assert process.wait() == -signal.SIGKILL
    assert not (site.folder / "home" / "packs" / "tiny").exists()
    assert "tiny\tno" in site.kinblend("models", "list").stdout
    assert site.kinblend("models", "pull", "tiny").returncode == 0
