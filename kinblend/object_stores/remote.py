"""Object stores such as S3, through fsspec: requests are tried again, and no credentials are told."""

from __future__ import annotations

import errno
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kinblend.errors import StoreError, StoreRefusedError, UsageError, summarize
from kinblend.object_stores import lease
from kinblend.object_stores.addresses import SCHEMES, Address, masked
from kinblend.object_stores.copies import nameless_file

Result = TypeVar("Result")
LOG = logging.getLogger(__name__)
TRIES = 6
PAUSE = 0.25  # seconds before the second try, doubled each time
PACKAGES = {"s3": "s3fs: pip install 'kinblend[remote]'", "gs": "gcsfs: pip install gcsfs"}
MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
# By the names of classes: the packages that have them are imported nowhere here.
NO_CREDENTIALS = {
    "NoCredentialsError",
    "PartialCredentialsError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "SSOTokenLoadError",
    "RefreshError",
    "DefaultCredentialsError",
}
HOW = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "run `gcloud auth application-default login`",
}


@dataclass(frozen=True)
class RemoteStore:
    """An `ObjectStore` in a bucket. Credentials are found where the store's own tools find them.

    A request that fails is tried six times within some eight seconds; then `StoreError` is raised, or
    `StoreRefusedError` at once where the store does not allow it.

    Raises `UsageError` where a package is missing.
    """

    address: Address

    def __post_init__(self) -> None:
        filesystem(self.address.scheme)

    def place(self, name: str = "") -> Address:
        """See `ObjectStore.place`."""
        return self.address / name if name else self.address

    def entries(self) -> Iterator[str]:
        """See `ObjectStore.entries`. The lease is not among them."""
        try:
            found = self._try(self.address, lambda files, path: files.ls(path, detail=False))
        except FileNotFoundError:
            return
        begin = f"{self.address.path}/"
        names = [name.strip("/") for name in found]
        yield from sorted({name.removeprefix(begin) for name in names if name.startswith(begin)} - {lease.FOLDER})

    def sizes(self, under: str = "") -> Mapping[str, int]:
        """See `ObjectStore.sizes`."""
        place = self.place(under)
        try:
            found = self._try(place, lambda files, path: files.find(path, detail=True))
        except FileNotFoundError:
            return {}
        begin = f"{self.address.path}/"
        names = {str(path).strip("/"): about for path, about in found.items()}
        return {
            name.removeprefix(begin): int(about["size"])
            for name, about in sorted(names.items())
            if name.startswith(begin) and about.get("type") == "file"
        }

    def size(self, name: str) -> int:
        """See `ObjectStore.size`."""
        return int(self._try(self.place(name), lambda files, path: files.info(path))["size"])

    def read(self, name: str, end: int | None = None) -> bytes:
        """See `ObjectStore.read`."""
        part = {} if end is None else {"start": 0, "end": end}
        return bytes(self._try(self.place(name), lambda files, path: files.cat_file(path, **part)))

    def write(self, name: str, data: bytes) -> None:
        """See `ObjectStore.write`."""
        self._put(name, data)

    def create(self, name: str, data: bytes) -> bool:
        """Put an object there unless one is. Returns whether it is this one: also where an earlier try had put it
        there and the answer was lost. Needs contents that nobody else writes."""
        try:
            self._put(name, data, mode="create")
        except FileExistsError:
            return self.read(name) == data
        return True

    def _put(self, name: str, data: bytes, **how: str) -> None:
        place = self.place(name)
        try:
            self._try(place, lambda files, path: files.pipe_file(path, data, **how))
        except FileNotFoundError as error:
            bucket = place.path.partition("/")[0]
            raise StoreRefusedError(
                f"{place} can't be written: there is no bucket {bucket}; make it first"
            ) from error

    def delete(self, name: str) -> None:
        """See `ObjectStore.delete`."""
        try:
            self._try(self.place(name), lambda files, path: files.rm_file(path))
        except FileNotFoundError:
            return

    @contextmanager
    def copied(self, name: str) -> Iterator[Path]:
        """See `ObjectStore.copied`."""
        with nameless_file(self.read(name), self.place(name)) as path:
            yield path

    @contextmanager
    def held(self, waiting: Callable[[], None]) -> Iterator[Callable[[], None]]:
        """See `ObjectStore.held`. Nothing ends with its process here, so nobody waits; see `lease`."""
        with lease.held(self) as check:
            yield check

    def tidy(self, under: str) -> None:
        """See `ObjectStore.tidy`. There are no folders."""

    def _try(self, place: Address, request: Callable[[Any, str], Result]) -> Result:
        """Make a request, again where it fails. Raises `StoreError`, `FileNotFoundError` and `FileExistsError`."""
        for number in range(1, TRIES + 1):
            try:
                return request(filesystem(place.scheme), place.path)
            except MISSING:
                raise FileNotFoundError(errno.ENOENT, "there is no such object", str(place)) from None
            except FileExistsError:
                raise
            except Exception as error:
                what = masked(summarize(error))
                if isinstance(error, PermissionError):
                    raise StoreRefusedError(f"{place}: not allowed ({what})") from None
                if any(kind.__name__ in NO_CREDENTIALS for kind in type(error).__mro__):
                    how = HOW.get(place.scheme, "see the store's own documents")
                    raise StoreError(f"{place}: no credentials that do ({what}); {how}") from None
                if number == TRIES:
                    raise StoreError(
                        f"{place}: {TRIES} requests have failed, the last with {what}; run the same again when the "
                        "store answers: it goes on where it was ended"
                    ) from None
                LOG.info("%s: %s", place, what)
                time.sleep(PAUSE * 2 ** (number - 1) * random.uniform(0.5, 1))
        raise AssertionError("the last try returns or raises")


def filesystem(scheme: str) -> Any:
    """The fsspec file system of addresses, without a memory of what it listed. Raises `UsageError`."""
    assert scheme in SCHEMES
    try:
        import fsspec

        files = fsspec.filesystem(scheme, use_listings_cache=False, **_options(scheme, fsspec.config.conf))
    except ImportError:
        package = PACKAGES.get(scheme, "fsspec: pip install 'kinblend[remote]'")
        raise UsageError(f"addresses of {scheme}:// need {package}") from None
    files.retries = 1  # of s3fs itself
    return files


def _options(scheme: str, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Of S3 few tries and short waits: there are tries of our own. configured: what fsspec's own files say."""
    if scheme != "s3":
        return {}
    theirs = configured.get("s3", {}).get("config_kwargs", {})
    ours = {"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard", "total_max_attempts": 1}}
    return {"config_kwargs": ours | theirs, "max_concurrency": 1}  # a request for an object, however large
