"""Downloads from a real server on this machine: resumed, checked, retried."""

import hashlib
import os
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from published import write_nvidia
from recipes import state_dict
from strangers import Site

from kinblend.errors import DownloadError
from kinblend.storage import download
from kinblend.storage.download import fetch
from kinblend.storage.sources import Download

CONTENT = os.urandom(1_500_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; cuts answers short after each of `cuts` bytes; remembers what was asked."""

    files: dict[str, bytes]
    cuts: list[int]
    codes: list[int]
    ranges: list[str | None]
    resumes = True
    tag = '"1"'
    kind = "application/octet-stream"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if server.codes:
            return self.send_error(server.codes.pop(0))
        if self.path not in server.files:
            return self.send_error(404)
        content, start = server.files[self.path], 0
        if asked and server.resumes and self.headers.get("If-Range", server.tag) == server.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", server.kind)
        self.send_header("ETag", server.tag)
        self.end_headers()
        body = content[start:]
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    server = Server(("127.0.0.1", 0), partial(Handler))
    server.files, server.cuts, server.codes, server.ranges = {"/f.bin": CONTENT}, [], [], []
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def source(server: Server, sha256: str | None = SHA) -> Download:
    return Download(f"{server.address}/f.bin", "f.bin", sha256)


def test_a_cut_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cuts = [400_000, 300_000]
    seen: list[tuple[int, int | None]] = []
    path = fetch(source(server), tmp_path, lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=400000-", "bytes=700000-"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [path.name for path in tmp_path.iterdir()] == ["f.bin"]


def test_a_later_call_resumes_and_a_whole_file_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    server.cuts = [500_000, 0, 0, 0]
    with pytest.raises(DownloadError, match="run the same command to go on"):
        fetch(source(server), tmp_path)
    assert (tmp_path / "f.bin.part").read_bytes() == CONTENT[:500_000]
    server.ranges.clear()
    fetch(source(server), tmp_path)
    assert server.ranges == ["bytes=500000-"]
    fetch(source(server), tmp_path)
    assert len(server.ranges) == 1


def test_a_file_that_changed_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.cuts = [500_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(source(server), tmp_path)
    server.tag, server.files["/f.bin"] = '"2"', CONTENT[::-1]
    assert fetch(source(server, None), tmp_path).read_bytes() == CONTENT[::-1]


def test_a_server_that_cannot_resume(server: Server, tmp_path: Path) -> None:
    server.cuts, server.resumes = [400_000], False
    assert fetch(source(server), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_thrown_away(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.bin.part").write_bytes(CONTENT + b"more")
    server.codes = [416]
    assert fetch(source(server), tmp_path).read_bytes() == CONTENT


def test_another_file_than_expected_is_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="another file than expected"):
        fetch(source(server, "0" * 64), tmp_path)
    assert not list(tmp_path.iterdir())


def test_busy_servers_are_asked_again_and_missing_files_are_not(server: Server, tmp_path: Path) -> None:
    server.codes = [503, 429]
    assert fetch(source(server), tmp_path).read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="404"):
        fetch(Download(f"{server.address}/none", "none"), tmp_path)
    assert len(server.ranges) == 4


def test_a_web_page_is_no_file(server: Server, tmp_path: Path) -> None:
    server.kind = "text/html; charset=utf-8"
    with pytest.raises(DownloadError, match="web page"):
        fetch(source(server), tmp_path)


def test_nobody_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with pytest.raises(DownloadError, match="can't be fetched"):
        fetch(Download("http://127.0.0.1:9/f.bin", "f.bin"), tmp_path)


PLUGIN = """
import kinblend
@kinblend.hookimpl
def kinblend_register_packs(register):
    file = kinblend.Download({url!r}, "g.pkl", {sha!r})
    register(kinblend.PackSource("tiny", "a test", downloads=(file,), importer="nvidia"))
"""


def test_models_pull_fetches_imports_and_verifies(server: Server, tmp_path: Path) -> None:
    """The command itself, with a stranger's plugin that names the pack."""
    write_nvidia(tmp_path / "g.pkl", state_dict("stylegan2_ada_64"))
    content = (tmp_path / "g.pkl").read_bytes()
    server.files["/g.pkl"], server.cuts = content, [1_000_000]
    site = Site(tmp_path / "site")
    site.add("tiny", PLUGIN.format(url=f"{server.address}/g.pkl", sha=hashlib.sha256(content).hexdigest()))
    refused = site.kinblend("models", "pull", "tiny", KINBLEND_OFFLINE="1")
    assert (refused.returncode, refused.stderr.count("\n")) == (4, 1)
    done = site.kinblend("models", "pull", "tiny")
    assert done.returncode == 0, done.stderr
    assert site.kinblend("models", "verify", "tiny").returncode == 0
    assert '"resolution": 64' in site.kinblend("models", "show", "tiny").stdout
    assert [path.name for path in (site.folder / "home").iterdir()] == ["packs"]
    asked = len(server.ranges)
    assert "installed already" in site.kinblend("models", "pull", "tiny").stderr
    assert len(server.ranges) == asked
