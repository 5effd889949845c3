"""Who works in an object store, which knows no locks: an object that says so, and that is renewed.

The objects are `lease/000001.json` and so on; the highest number holds. It is put there only if there is none of that
number, which the stores decide, so that of two calls that come at once one gets it. It counts for 90 seconds after it
was renewed, and not at all where its process is seen to be gone.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

from kinblend.errors import KinblendError, StoreError
from kinblend.files import process_lives
from kinblend.object_stores.addresses import Place

FOLDER = "lease"
LASTS = 90.0  # seconds after it was renewed
RENEWED = 30.0  # seconds between two renewals
LOG = logging.getLogger(__name__)
_ours: set[str] = set()  # tokens of the leases that this process holds


class Leasable(Protocol):
    """What a lease needs of a store; see `RemoteStore`."""

    def place(self, name: str = "") -> Place: ...
    def sizes(self, under: str = "") -> Mapping[str, int]: ...
    def read(self, name: str, end: int | None = None) -> bytes: ...
    def write(self, name: str, data: bytes) -> None: ...
    def create(self, name: str, data: bytes) -> bool: ...
    def delete(self, name: str) -> None: ...


@contextmanager
def held(store: Leasable) -> Iterator[Callable[[], None]]:
    """Within, no other call holds the store. What it gives raises `StoreError` where another one has taken it.

    Raises `StoreError` where another call holds it.
    """
    lease = _Lease(store)
    lease.take()
    ended = Event()
    renewing = Thread(target=lease.renew_until, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield lease.check
    finally:
        ended.set()
        renewing.join()
        lease.give_back()


class _Lease:
    """One call's. lost: why it is no longer ours; "" while it is."""

    def __init__(self, store: Leasable) -> None:
        self.store, self.token, self.lost = store, secrets.token_hex(8), ""
        self.number, self.renewed = 0, 0.0

    def take(self) -> None:
        """Raises `StoreError` where another call holds the store."""
        before = self._numbers()
        if before and (held := self._read(max(before))) is not None:
            refuse_living(held, self.store.place())
        self.number = max(before, default=0) + 1
        _ours.add(self.token)
        try:
            created = self.store.create(self._name(self.number), self._text())
            if not created or max(self._numbers(), default=0) > self.number:
                raise StoreError(f"another batch has just begun to work in {self.store.place()}; wait until it ends")
            for number in before:
                self.store.delete(self._name(number))
        except BaseException:
            _ours.discard(self.token)
            raise

    def renew_until(self, ended: Event) -> None:
        """Renew the lease now and then, in a thread of its own."""
        while not ended.wait(RENEWED) and not self.lost:
            try:
                self.renew()
            except KinblendError as error:  # the next time may do; until then it counts
                LOG.info("%s", error)

    def renew(self) -> None:
        """Say that we are still at work, if the lease is ours."""
        if max(self._numbers(), default=0) != self.number:
            self.lost = f"another batch has begun to work in {self.store.place()}, or the lease there was deleted"
        else:
            self.store.write(self._name(self.number), self._text())

    def check(self) -> None:
        """Raise `StoreError` where the lease is not ours any more, or could not be renewed in time."""
        if not self.lost and time.time() - self.renewed > LASTS:
            self.lost = f"nobody could be told for {LASTS:.0f} s that this batch is at work in {self.store.place()}"
        if self.lost:
            raise StoreError(f"{self.lost}; what is done is kept, and the same call goes on from here")

    def give_back(self) -> None:
        """Let others work there. Where the store does not answer, the lease ends by itself."""
        _ours.discard(self.token)
        with suppress(KinblendError):
            self.store.delete(self._name(self.number))

    def _numbers(self) -> list[int]:
        names = (Path(name).stem for name in self.store.sizes(FOLDER))
        return [int(name) for name in names if name.isdecimal()]

    def _read(self, number: int) -> Any:
        """None where there is none that can be read."""
        try:
            return json.loads(self.store.read(self._name(number)))
        except (FileNotFoundError, ValueError, RecursionError):
            return None

    def _name(self, number: int) -> str:
        return f"{FOLDER}/{number:06d}.json"

    def _text(self) -> bytes:
        self.renewed = time.time()
        about = {"token": self.token, "renewed": self.renewed, "process": os.getpid(), "host": socket.gethostname()}
        return json.dumps(about | {"system": _system()}, sort_keys=True).encode()


def refuse_living(held: Any, place: Place) -> None:
    """Raise `StoreError` where this lease counts, with what to do."""
    if not isinstance(held, dict) or not isinstance(held.get("renewed"), int | float):
        return
    age = time.time() - held["renewed"]
    if abs(age) > LASTS or _is_gone(held):
        return
    raise StoreError(
        f"another batch is at work in {place}: process {held.get('process')!s:.20} on {held.get('host')!s:.80}, "
        f"which said so {max(0, age):.0f} s ago. Wait until it ends; if it is gone, wait {LASTS - age:.0f} s more, "
        f"or delete {place}/{FOLDER}"
    )


def _is_gone(held: Mapping[str, Any]) -> bool:
    """Whether the process that took a lease is seen to be gone: one of this system that does not live, or this very
    process, which holds it no longer."""
    process = held.get("process")
    if held.get("host") != socket.gethostname() or held.get("system") != _system() or not isinstance(process, int):
        return False
    return held.get("token") not in _ours if process == os.getpid() else not process_lives(process)


def _system() -> str:
    """What numbers of processes are of: the system since it started, and the namespace in it. "" where it does not
    say."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink()
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {namespace}"
    except OSError:
        return ""
