"""Downloads from a real server on this machine: resumed, checked, retried."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from plugin_site import Site
from published_checkpoints import write_nvidia
from recipes import state_dict

from kinblend.errors import DownloadError, OutputError
from kinblend.storage import download
from kinblend.storage.download import fetch
from kinblend.storage.pack_sources import Download

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
    way = "length"  # how the end of an answer is told: "length", "chunked", "close"
    shift = 0  # bytes by which an answer starts elsewhere than it was asked to
    more: dict[str, str] = {}
    slow = 0.0  # seconds before an answer

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        time.sleep(server.slow)
        asked = self.headers.get("Range")
        server.ranges.append(asked)
        if server.codes:
            return self.send_error(server.codes.pop(0))
        if self.path not in server.files:
            return self.send_error(404)
        content, start = server.files[self.path], 0
        if asked and server.resumes and self.headers.get("If-Range", server.tag) == server.tag:
            start = int(asked.removeprefix("bytes=").rstrip("-")) + server.shift
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if server.way == "length":
            self.send_header("Content-Length", str(len(content) - start))
        if server.way == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", server.kind)
        if server.tag:
            self.send_header("ETag", server.tag)
        for name, value in server.more.items():
            self.send_header(name, value)
        self.end_headers()
        body, cut = content[start:], server.cuts.pop(0) if server.cuts else None
        if server.way != "chunked":
            self.wfile.write(body[:cut])
            self.close_connection = True
            return None
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body[:cut]), body[:cut]))
        self.wfile.write(b"" if cut is not None else b"0\r\n\r\n")
        self.close_connection = True
        return None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    server = Server(("127.0.0.1", 0), partial(Handler))
    server.files, server.cuts, server.codes, server.ranges = {"/f.bin": CONTENT}, [], [], []
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
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


@pytest.mark.parametrize("way", ["length", "chunked", "close"])
def test_finding_12_a_cut_answer_is_noticed_however_its_end_is_told(way: str, server: Server, tmp_path: Path) -> None:
    server.way, server.cuts = way, [400_000]
    assert fetch(source(server), tmp_path).read_bytes() == CONTENT
    assert len(server.ranges) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["f.bin"]


def test_finding_12_a_file_whose_end_nobody_tells_is_not_taken_on_trust(server: Server, tmp_path: Path) -> None:
    server.way, server.cuts = "close", [400_000]
    with pytest.raises(DownloadError, match="does not say how long the file is"):
        fetch(source(server, None), tmp_path)
    assert not list(tmp_path.iterdir())
    server.way, server.cuts = "chunked", [400_000]
    assert fetch(source(server, None), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("shift", [-1, 1, 5000, -300_000])
def test_finding_12_another_part_than_was_asked_for_begins_anew(shift: int, server: Server, tmp_path: Path) -> None:
    server.cuts, server.shift = [400_000], shift
    assert fetch(source(server, None), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=400000-", None]


@pytest.mark.parametrize(
    ("tag", "more"),
    [
        ("", {}),
        ('W/"1"', {}),
        ("", {"Last-Modified": "now"}),
        ("no quotes", {}),
    ],
)
def test_finding_12_without_a_strong_validator_nothing_is_put_together(
    tag: str, more: dict[str, str], server: Server, tmp_path: Path
) -> None:
    more = {name: formatdate(usegmt=True) for name in more}
    server.tag, server.more, server.cuts = tag, more, [500_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(source(server, None), tmp_path)
    server.files["/f.bin"] = CONTENT[::-1]
    assert fetch(source(server, None), tmp_path).read_bytes() == CONTENT[::-1]
    assert "bytes=500000-" not in server.ranges


def test_finding_12_an_old_date_is_a_strong_validator(server: Server, tmp_path: Path) -> None:
    server.tag, server.cuts = "", [500_000]
    server.more = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert fetch(source(server, None), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500000-"]


def test_finding_12_with_a_sha256_what_is_there_is_used_in_any_case(server: Server, tmp_path: Path) -> None:
    server.tag, server.cuts = "", [500_000]
    assert fetch(source(server), tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=500000-"]


def test_finding_12_an_interrupt_while_hashing_costs_nothing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> str:
        raise KeyboardInterrupt

    for sha256 in (SHA, None):
        with monkeypatch.context() as patched:
            patched.setattr(download, "file_sha256", interrupted)
            with pytest.raises(KeyboardInterrupt):
                fetch(source(server, sha256), tmp_path)
        asked = len(server.ranges)
        assert fetch(source(server, sha256), tmp_path).read_bytes() == CONTENT
        assert len(server.ranges) == asked
        (tmp_path / "f.bin").unlink()


def test_finding_12_a_finished_file_is_hashed_again(server: Server, tmp_path: Path) -> None:
    fetch(source(server), tmp_path)
    (tmp_path / "f.bin").write_bytes(CONTENT[:-1] + b"x")
    assert fetch(source(server), tmp_path).read_bytes() == CONTENT
    assert len(server.ranges) == 2


@pytest.mark.parametrize("name", ["f.bin", "f.bin.part", "f.bin.part.tag"])
def test_finding_12_a_link_is_not_followed(name: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / name).symlink_to(tmp_path / "mine")
    with pytest.raises(OutputError, match="is a link"):
        fetch(source(server), tmp_path / "to")
    assert (tmp_path / "mine").read_text() == "mine"


def test_finding_12_more_than_was_said_an_encoding_and_a_note_of_somebody(server: Server, tmp_path: Path) -> None:
    server.more = {"Content-Encoding": "gzip"}
    with pytest.raises(DownloadError, match="encoding"):
        fetch(source(server), tmp_path)
    server.more = {}
    for note in ("{", "[]", '{"url": 3}', json.dumps({"url": server.address + "/f.bin", "validator": "a\r\nX: y"})):
        (tmp_path / "f.bin.part").write_bytes(CONTENT[:100])
        (tmp_path / "f.bin.part.tag").write_text(note)
        assert fetch(source(server, None), tmp_path).read_bytes() == CONTENT
        (tmp_path / "f.bin").unlink()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/f", "data:,x", "nowhere"])
def test_other_addresses_than_http_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="no http"):
        fetch(Download(url, "f.bin"), tmp_path)
    assert not list(tmp_path.rglob("f.bin*"))


def test_mirrors_are_tried_in_turn(server: Server, tmp_path: Path) -> None:
    mirrors = (f"{server.address}/none", f"{server.address}/f.bin")
    found = fetch(Download(f"{server.address}/nowhere", "f.bin", SHA, mirrors), tmp_path)
    assert found.read_bytes() == CONTENT
    with pytest.raises(DownloadError, match=r"nowhere answered 404.*none answered 404"):
        fetch(Download(f"{server.address}/nowhere", "g.bin", SHA, mirrors[:1]), tmp_path)


PLUGIN = """
import kinblend
import kinblend.packs
@kinblend.hookimpl
def kinblend_register_packs(register):
    file = kinblend.packs.Download({url!r}, "g.pkl", {sha!r})
    register(kinblend.packs.PackSource("tiny", "a test", downloads=(file,), importer="nvidia"))
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
    pack = site.folder / "home/packs/tiny"
    before = sorted(path.name for path in pack.iterdir())
    (pack / next(name for name in before if name.endswith(".safetensors"))).unlink()
    for flags in [], ["--again"]:  # first it is mended
        again = site.kinblend("models", "pull", "tiny", *flags)
        assert again.returncode == 0, again.stderr
        assert "importing" in again.stderr
    assert sorted(path.name for path in pack.iterdir()) == before
    assert site.kinblend("models", "verify", "tiny").returncode == 0
    assert [path.name for path in (site.folder / "home").iterdir()] == ["packs"]


@pytest.fixture
def tiny(server: Server, tmp_path: Path) -> Site:
    """A site where the pack "tiny" can be pulled."""
    write_nvidia(tmp_path / "g.pkl", state_dict("stylegan2_ada_64"))
    server.files["/g.pkl"] = content = (tmp_path / "g.pkl").read_bytes()
    site = Site(tmp_path / "site")
    site.add("tiny", PLUGIN.format(url=f"{server.address}/g.pkl", sha=hashlib.sha256(content).hexdigest()))
    return site


def test_finding_12_two_pulls_at_once_share_one_download(server: Server, tiny: Site) -> None:
    server.slow = 1.0
    command = [sys.executable, "-m", "kinblend.cli", "models", "pull", "tiny"]
    both = [subprocess.Popen(command, env=tiny.environ, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    ended = [(*process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for _, _, code in ended] == [0, 0], ended
    assert sum("waiting for it" in error for _, error, _ in ended) == 1
    assert len(server.ranges) == 1
    assert [path.name for path in (tiny.folder / "home").iterdir()] == ["packs"]
    assert tiny.kinblend("models", "verify", "tiny").returncode == 0


def test_finding_12_a_pull_that_is_killed_leaves_nothing_behind_after_the_next(server: Server, tiny: Site) -> None:
    packs = tiny.folder / "home" / "packs"
    (packs / ".tiny.abcd1234" / "pack").mkdir(parents=True)
    (packs / ".mine").mkdir()
    command = [sys.executable, "-m", "kinblend.cli", "models", "pull", "tiny"]
    for wait in (1.0, 3.0, 4.5):
        process = subprocess.Popen(command, env=tiny.environ, stdout=-1, stderr=-1, text=True)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = tiny.kinblend("models", "pull", "tiny")
    assert done.returncode == 0, done.stderr
    assert tiny.kinblend("models", "verify", "tiny").returncode == 0
    assert [path.name for path in (tiny.folder / "home").iterdir()] == ["packs"]
    assert sorted(path.name for path in packs.iterdir()) == [".mine", "tiny"]
