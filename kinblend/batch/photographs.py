"""Photographs and latents of people, wherever they lie: their hashes, and files of their content."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinblend.errors import ImageError, StoreRefusedError
from kinblend.files import file_sha256
from kinblend.object_stores import Address, Place, nameless_file, open_store

MOST = 2**28  # bytes of an object that is read for its content: no table and no picture needs more


def read_object(address: Address, most: int = MOST) -> bytes:
    """The content of an object. Raises `OSError` where there is none, it is too large or may not be read, and
    `StoreError` where the store does not answer."""
    store = open_store(address.parent)
    try:
        size = store.size(address.name)
        data = store.read(address.name) if size <= most else b""
    except StoreRefusedError as error:
        raise PermissionError(errno.EACCES, str(error).removeprefix(f"{address}: ")) from error
    if max(size, len(data)) > most:
        raise OSError(errno.EFBIG, f"it has more than {most // 2**20} MiB", str(address))
    return data


def photograph_sha256(photograph: Place) -> str:
    """The SHA-256 of a content, 64 hex digits. Raises `OSError`, and `StoreError` where a store does not answer."""
    if isinstance(photograph, Address):
        return hashlib.sha256(read_object(photograph)).hexdigest()
    return file_sha256(photograph)


@contextmanager
def as_file(photograph: Place) -> Iterator[Path]:
    """Within, a file with the content: the file itself, or of an object one that is gone afterwards.

    Errors about it name the address. Raises `ImageError` for an object that can't be read, and `StoreError` where the
    store does not answer.
    """
    if not isinstance(photograph, Address):
        yield photograph
        return
    try:
        data = read_object(photograph)
    except OSError as error:
        raise ImageError(f"{photograph} can't be read: {error.strerror}") from error
    with nameless_file(data, photograph) as path:
        yield path
