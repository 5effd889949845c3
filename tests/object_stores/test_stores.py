"""Folders, fsspec's memory and S3 keep the same objects; requests are tried again, and a lease is for one call."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from broken_stores import Breaking

from kinblend.errors import CorruptFileError, InputError, StoreError, StoreRefusedError, UsageError
from kinblend.object_stores import Address, ObjectStore, nameless_file, open_store, place_of, remote
from kinblend.object_stores import lease as leases
from kinblend.object_stores.remote import RemoteStore


@pytest.fixture
def s3(s3_server: str) -> Address:
    """A bucket of its own."""
    name = f"b{uuid4().hex}"
    remote.filesystem("s3").mkdir(name)
    return Address("s3", f"{name}/children")


@pytest.fixture(params=["folder", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        return open_store(request.getfixturevalue("s3"))
    return open_store(tmp_path / "children" if request.param == "folder" else memory())


def memory() -> Address:
    return Address("memory", uuid4().hex)


def test_objects_are_put_listed_read_and_removed(store: ObjectStore) -> None:
    assert dict(store.sizes()) == {} and list(store.entries()) == []
    for name, data in {"b": b"first", "a/b/c.txt": b"xyz", "empty": b""}.items():
        store.write(name, data)
    store.write("b", b"second")
    assert dict(store.sizes()) == {"a/b/c.txt": 3, "b": 6, "empty": 0}
    assert dict(store.sizes("a")) == {"a/b/c.txt": 3}
    assert dict(store.sizes("a/b/c")) == {} and sorted(store.entries()) == ["a", "b", "empty"]
    assert (store.read("b"), store.read("b", 3), store.read("b", 99), store.read("empty")) == (
        b"second", b"sec", b"second", b""
    )  # fmt: skip
    assert store.size("b") == 6
    with store.copied("a/b/c.txt") as path:
        assert (path.read_bytes(), path.suffix) == (b"xyz", ".txt")
    for ask in (store.read, store.size):
        with pytest.raises(FileNotFoundError):
            ask("gone")
    store.delete("b")
    store.delete("gone")
    store.tidy("a")
    assert dict(store.sizes()) == {"a/b/c.txt": 3, "empty": 0}
    assert str(store.place("a")).endswith("children/a") or str(store.place()).startswith("memory://")


def test_a_store_is_for_one_call_at_a_time(store: ObjectStore) -> None:
    """A second one waits for a folder, and is refused by an object store."""
    if not isinstance(store, RemoteStore):
        pytest.skip("tests/test_files.py has locks of folders")
    with store.held(pytest.fail) as check:
        check()
        assert list(store.entries()) == []
        with pytest.raises(
            StoreError, match=rf"another batch is at work in .*process {os.getpid()} .* delete .*/lease"
        ):
            store.held(pytest.fail).__enter__()
        check()
    assert dict(store.sizes()) == {}
    with store.held(pytest.fail):
        pass


def test_an_object_is_created_once(store: ObjectStore) -> None:
    if isinstance(store, RemoteStore):
        assert [store.create("x", data) for data in (b"1", b"2", b"1")] == [True, False, True]
        assert store.read("x") == b"1"


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """Memory that can be broken, with no pauses between tries."""
    made = Breaking(remote.filesystem("memory"))
    monkeypatch.setattr(remote, "filesystem", lambda scheme: made)
    monkeypatch.setattr(remote, "PAUSE", 0)
    return made


def test_a_request_is_tried_again_and_then_given_up(breaking: Breaking) -> None:
    store = RemoteStore(memory())
    breaking.at, breaking.once = 1, True
    store.write("x", b"1")
    assert breaking.count == 2
    breaking.at, breaking.once, breaking.count = 1, False, 0
    with pytest.raises(StoreError, match=r"6 requests have failed, the last with ConnectionResetError.* same again"):
        store.read("x")
    assert breaking.count == remote.TRIES


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_does_not_lock_its_own_call_out(breaking: Breaking, after: bool) -> None:
    store = RemoteStore(memory())
    breaking.at, breaking.once, breaking.after = (
        2,
        True,
        after,
    )  # the first request lists leases, the second takes one
    with store.held(pytest.fail) as check:
        check()


class Refusing:
    """A file system that refuses all with an error."""

    def __init__(self, error: Exception) -> None:
        self.error, self.count = error, 0

    def __getattr__(self, name: str) -> Any:
        def request(*_: Any, **__: Any) -> Any:
            self.count += 1
            raise self.error

        return request


class NoCredentialsError(Exception):
    """As botocore's."""


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (PermissionError("Forbidden"), StoreRefusedError, r"not allowed \(PermissionError: Forbidden\)"),
        (NoCredentialsError("Unable to locate"), StoreError, "no credentials that do .*AWS_PROFILE"),
    ],
)
def test_what_no_try_would_change_is_told_at_once(
    error: Exception, kind: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Refusing(error)
    monkeypatch.setattr(remote, "filesystem", lambda scheme: files)
    with pytest.raises(kind, match=said):
        RemoteStore(Address("s3", "bucket/x")).read("y")
    assert files.count == 1


def test_nothing_secret_is_in_an_error(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    files = Refusing(OSError('no answer of "http://me:secret@proxy/b?token=secret"'))
    monkeypatch.setattr(remote, "filesystem", lambda scheme: files)
    monkeypatch.setattr(remote, "PAUSE", 0)
    with caplog.at_level(logging.DEBUG, "kinblend"), pytest.raises(StoreError) as raised:
        RemoteStore(Address("s3", "bucket/x")).read("y")
    assert len(caplog.messages) == remote.TRIES - 1
    assert "secret" not in f"{raised.value} {caplog.text}" and raised.value.__cause__ is None


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.registry import _registry as registry  # what was imported before is found there

    for scheme, name, said in (("s3", "s3fs", "kinblend[remote]"), ("gs", "gcsfs", "pip install gcsfs")):
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(registry, scheme, raising=False)
        with pytest.raises(UsageError) as refused:
            open_store(place_of(f"{scheme}://bucket"))
        assert said in str(refused.value) and "\n" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match="memory:// need fsspec"):
        open_store(place_of("memory://bucket"))


def test_a_bucket_that_is_not_there(s3_server: str) -> None:
    store = open_store(Address("s3", "nowhere/x"))
    assert dict(store.sizes()) == {}
    with pytest.raises(StoreRefusedError, match="no bucket nowhere; make it first"):
        store.write("y", b"")


def _held_by(store: RemoteStore, **about: Any) -> None:
    """A lease of somebody else."""
    ours = {"token": "t", "renewed": time.time(), "process": 1, "host": leases.socket.gethostname()}
    store.write("lease/000007.json", json.dumps(ours | {"system": leases._system()} | about).encode())


def test_leases_of_those_that_are_gone_do_not_count() -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    gone = [{"renewed": time.time() - leases.LASTS - 1}, {"process": int(ended.stdout)}, {"process": os.getpid()}]
    for about in (*gone, {"renewed": "yesterday"}):
        store = RemoteStore(memory())
        _held_by(store, **about)
        with store.held(pytest.fail) as check:
            assert list(store.sizes()) == ["lease/000008.json"]
            check()
        assert dict(store.sizes()) == {}


@pytest.mark.parametrize(
    "about", [{}, {"process": 2**22 + 1, "host": "elsewhere"}, {"process": 2**22 + 1, "system": ""}]
)
def test_leases_of_those_that_may_live_count(about: dict[str, Any]) -> None:
    store = RemoteStore(memory())
    _held_by(store, **about)
    with pytest.raises(StoreError, match="another batch is at work"):
        store.held(pytest.fail).__enter__()


def test_who_has_lost_the_lease_is_told_and_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "RENEWED", 0.01)
    store = RemoteStore(memory())
    with store.held(pytest.fail) as check:
        _held_by(store)
        deadline = time.monotonic() + 60
        with pytest.raises(StoreError, match=r"another batch has begun to work in .* what is done is kept"):
            while time.monotonic() < deadline:
                check()
                time.sleep(0.01)
    assert list(store.sizes()) == ["lease/000007.json"]


def test_a_lease_that_can_not_be_renewed_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    store = RemoteStore(memory())
    with store.held(pytest.fail) as check:
        now = time.time()
        monkeypatch.setattr(leases.time, "time", lambda: now + leases.LASTS + 1)
        with pytest.raises(StoreError, match="nobody could be told for 90 s"):
            check()
        monkeypatch.undo()


def test_a_content_has_no_name_on_the_disk_and_errors_name_the_address(tmp_path: Path) -> None:
    address = Address("s3", "bucket/p.safetensors")
    with pytest.raises(CorruptFileError) as raised, nameless_file(b"content", address) as path:
        assert path.read_bytes() == b"content" and path.is_file() and path.suffix == ".safetensors"
        folder = path.parent
        assert folder.stat().st_mode & 0o077 == 0
        if sys.platform == "linux":
            assert [one.is_symlink() for one in folder.iterdir()] == [True]
        raise CorruptFileError(f"{path} is damaged")
    assert str(raised.value) == "s3://bucket/p.safetensors is damaged"
    assert not folder.exists()
    with pytest.raises(InputError, match=r"^another$"), nameless_file(b"", address):
        raise InputError("another")
