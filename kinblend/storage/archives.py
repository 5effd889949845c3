"""Reads members of a zip file, a wheel for instance, in bounded memory."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinblend.errors import InputError

MOST_MEMBERS = 200_000
MOST_MEMBER = 64 * 2**20  # bytes of one member, where the caller says nothing else
MOST_TOTAL = 256 * 2**20  # bytes of all that is read, likewise
CHUNK = 2**18
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1  # of a member's flags

# What the standard library raises for files that are damaged, or made to be.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, OverflowError)


@contextmanager
def open_archive(path: str | Path, *, most: int | None = None) -> Iterator[Archive]:
    """An open zip, for the time of the `with` block.

    most: bytes that may be read of it in all, unpacked; by default 256 MiB.
    Raises `InputError` where it is no zip, is damaged or has more than 200,000 members.
    """
    try:
        content = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise InputError(f"{path} can't be read as a zip: {error}") from error
    with content:
        yield Archive(Path(path), content, MOST_TOTAL if most is None else most)


class Archive:
    """What `open_archive` gives. Nothing in it is ever written to a disk."""

    def __init__(self, path: Path, content: zipfile.ZipFile, most: int) -> None:
        self.path, self._zip, self._left = path, content, most
        if len(content.infolist()) > MOST_MEMBERS:
            raise InputError(f"{path} has {len(content.infolist())} members; at most {MOST_MEMBERS} are read")

    def names(self) -> list[str]:
        """The members' names, in the order of the zip; folders are left out."""
        return [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def read(self, name: str, most: int = MOST_MEMBER) -> bytes:
        """A whole member, its checksum looked at.

        most: bytes it may have. Raises `InputError` where it is missing, larger, encrypted or damaged.
        """
        info, pieces = self._info(name, most), []
        try:
            with self._zip.open(info) as stream:
                while piece := stream.read(CHUNK):
                    self._count(len(piece))
                    pieces.append(piece)
        except DAMAGE as error:
            raise InputError(f"{name} in {self.path} is damaged: {error}; get the file again") from error
        return b"".join(pieces)

    def _info(self, name: str, most: int) -> zipfile.ZipInfo:
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise InputError(f"{self.path} has no member {name}") from None
        if info.flag_bits & ENCRYPTED:
            raise InputError(f"{name} in {self.path} is encrypted; pack it without a password")
        if info.compress_type not in METHODS:
            raise InputError(f"{name} in {self.path} is packed in a way that is not read; pack it with deflate")
        if info.file_size > most:
            raise InputError(f"{name} in {self.path} has {info.file_size} bytes; at most {most} are read")
        return info

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise InputError(f"{self.path} gives more than it may when unpacked")
