"""Where a batch keeps what it makes: whole objects under names with slashes, in a folder or in an object store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kinblend.files import atomic_write, locked, open_plain
from kinblend.object_stores.addresses import Address, Place


class ObjectStore(Protocol):
    """Objects, each of which is there whole or not at all. Processes that share work send it to each other.

    Names are relative, such as "pictures/00000/000001.png". Whatever is asked of an object that is not there raises
    `FileNotFoundError`.
    """

    def place(self, name: str = "") -> Place:
        """Where an object lies, or all of them; as a text it is what messages call it."""
        ...

    def entries(self) -> Iterator[str]:
        """The first parts of all names; nothing where there is no such store yet."""
        ...

    def sizes(self, under: str = "") -> Mapping[str, int]:
        """The bytes of all objects by name, or of those whose names begin with `under` and a slash."""
        ...

    def size(self, name: str) -> int:
        """The bytes of an object."""
        ...

    def read(self, name: str, end: int | None = None) -> bytes:
        """An object's content; of a large one the first `end` bytes."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Put an object there, in the place of any that was."""
        ...

    def delete(self, name: str) -> None:
        """Remove an object, if it is there."""
        ...

    def copied(self, name: str) -> AbstractContextManager[Path]:
        """Within, a file with an object's content, for readers of files."""
        ...

    def held(self, waiting: Callable[[], None]) -> AbstractContextManager[Callable[[], None]]:
        """Within, no other call holds this store. What it gives raises `StoreError` where that is so no longer.

        waiting: called once if another call has to be waited for. Raises `StoreError` where that can't be done.
        """
        ...

    def tidy(self, under: str) -> None:
        """Remove a folder that holds nothing, where there are folders."""
        ...


@dataclass(frozen=True)
class FolderStore:
    """An `ObjectStore` whose objects are the files of a folder of this machine, or of a shared file system."""

    folder: Path

    def place(self, name: str = "") -> Path:
        """See `ObjectStore.place`."""
        return self.folder / name

    def entries(self) -> Iterator[str]:
        """See `ObjectStore.entries`: folders that hold nothing, too."""
        with suppress(FileNotFoundError):
            yield from (path.name for path in self.folder.iterdir())

    def sizes(self, under: str = "") -> Mapping[str, int]:
        """See `ObjectStore.sizes`. Links are followed."""
        found = {}
        for folder, _, names in os.walk(self.folder / under, followlinks=True):
            for path in (Path(folder, name) for name in names):
                with suppress(OSError):  # a link to nowhere
                    found[path.relative_to(self.folder).as_posix()] = path.stat().st_size
        return found

    def size(self, name: str) -> int:
        """See `ObjectStore.size`."""
        return (self.folder / name).stat().st_size

    def read(self, name: str, end: int | None = None) -> bytes:
        """See `ObjectStore.read`."""
        with open_plain(self.folder / name) as file:
            return file.read(-1 if end is None else end)

    def write(self, name: str, data: bytes) -> None:
        """See `ObjectStore.write`."""
        atomic_write(self.folder / name, data)

    def delete(self, name: str) -> None:
        """See `ObjectStore.delete`."""
        (self.folder / name).unlink(missing_ok=True)

    @contextmanager
    def copied(self, name: str) -> Iterator[Path]:
        """See `ObjectStore.copied`: the file itself."""
        yield self.folder / name

    @contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[Callable[[], None]]:
        """See `ObjectStore.held`. The lock ends with its process, however that ends."""
        with locked(self.folder, waiting):
            yield lambda: None

    def tidy(self, under: str) -> None:
        """See `ObjectStore.tidy`."""
        with suppress(OSError):
            (self.folder / under).rmdir()


def open_store(place: Place) -> ObjectStore:
    """The store at a place. Raises `UsageError` where a package is missing that knows such addresses."""
    if not isinstance(place, Address):
        return FolderStore(place)
    from kinblend.object_stores.remote import RemoteStore

    return RemoteStore(place)
