"""What is kept for a while, in memory alone: for each client apart, and gone some minutes after its last use."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Evictable(Protocol):
    """A thing on a shelf."""

    @property
    def size(self) -> int:
        """How many bytes it holds, about."""

    def on_evict(self) -> None:
        """Called once, when it leaves."""


T = TypeVar("T", bound=Evictable)
Key = tuple[str, str]


@dataclass
class _Entry(Generic[T]):
    item: T
    used: float


class LruStore(Generic[T]):
    """Things by owner and id, the longest unused first to go.

    most_each: things of one owner. most_bytes: of all together. lifetime: seconds after the last use.
    """

    def __init__(
        self, most_each: int, most_bytes: int, lifetime: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_each, self._most_bytes = most_each, most_bytes
        self._lifetime, self._clock = lifetime, clock
        self._entries: dict[Key, _Entry[T]] = {}

    def put(self, owner: str, name: str, item: T) -> None:
        """Keep a thing; what was kept under that name leaves."""
        self.take(owner, name)
        self._entries[owner, name] = _Entry(item, self._clock())
        self._make_room(owner)

    def get(self, owner: str, name: str) -> T | None:
        """A thing of this owner, which counts as a use; None where there is none."""
        self.sweep()
        entry = self._entries.pop((owner, name), None)
        if entry is None:
            return None
        entry.used = self._clock()
        self._entries[owner, name] = entry  # at the end: the order is that of use
        return entry.item

    def take(self, owner: str, name: str) -> bool:
        """Let a thing go. Returns whether there was one."""
        return self._drop((owner, name))

    def clear(self, owner: str) -> int:
        """Let all things of an owner go. Returns how many there were."""
        return sum(self._drop(key) for key in self._of(owner))

    def sweep(self) -> None:
        """Let go what was not used for `lifetime`."""
        latest = self._clock() - self._lifetime
        for key in [key for key, entry in self._entries.items() if entry.used <= latest]:
            self._drop(key)

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        return iter([entry.item for entry in self._entries.values()])

    @property
    def size(self) -> int:
        """Bytes of everything kept."""
        return sum(entry.item.size for entry in self._entries.values())

    def _of(self, owner: str) -> list[Key]:
        return [key for key in self._entries if key[0] == owner]

    def _make_room(self, owner: str) -> None:
        for key in self._of(owner)[: -self._most_each]:
            self._drop(key)
        while len(self._entries) > 1 and self.size > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> bool:
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.item.on_evict()
        return entry is not None


class ContentIds:
    """ContentIds that follow from the content, and that nobody can guess who does not have it.

    The key is drawn anew for every process: a name says nothing once the app has ended.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, owner: str, *content: bytes | str) -> str:
        """32 hex digits: the same for the same owner and content."""
        digest = hmac.new(self._key, owner.encode(), hashlib.sha256)
        for part in content:
            digest.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
        return digest.hexdigest()[:32]
