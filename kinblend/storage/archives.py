"""The one reader of zip files, wheels among them: it takes bounded memory, and says why a file is refused."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from kinblend.errors import InputError
from kinblend.files import open_plain

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_MEMBERS = 200_000
MAX_LISTING = 16 * 2**20  # bytes of the list of members
MAX_MEMBER = 64 * 2**20  # bytes of one member, where the caller says nothing else
# All that is read together: pictures and weights hardly shrink in a zip.
GROWTH, MAX_SMALL = 20, 256 * 2**20  # times the file's size; and what any file may grow to
CHUNK = 2**18
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # how others unpack takes as much memory as a file asks for
LOCAL = struct.Struct("<4s22x2H")  # what stands before a member: its mark, … and the sizes of what follows
ENCRYPTED = 0x1  # of a member's flags

# What the standard library raises for files that are damaged, or made to be.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError, OverflowError)


@dataclass(frozen=True)
class ArchiveMember:
    """A file in a zip. name: with its folders, "/" between. size: bytes, unpacked, as the zip states it."""

    name: str
    size: int


@contextmanager
def open_archive(path: str | Path, *, most: int | None = None, listing: int = MAX_LISTING) -> Iterator[Archive]:
    """An open zip, for the time of the `with` block.

    most: bytes that may be read of it in all, unpacked; by default 20 times its size, or 256 MiB where that is more.
    listing: bytes that its list of members may have; reading it takes a second for four million.
    Raises `InputError` where it is not a zip, is damaged, has more than 200,000 members, or states that it unpacks to
    more than `most`.
    """
    path = Path(path)
    try:
        raw = open_plain(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    with raw:
        yield Archive(path, raw, _limit(raw) if most is None else most, listing)


class Archive:
    """What `open_archive` gives. Nothing in it is ever written to a disk."""

    def __init__(self, path: Path, raw: BinaryIO, most: int, listing: int = MAX_LISTING) -> None:
        self.path, self._raw, self._left = path, raw, most
        self._size = raw.seek(0, 2)
        try:
            self._zip = zipfile.ZipFile(_Bounded(raw, listing))
        except DAMAGE as error:
            raise InputError(f"{path} can't be read as a zip: {error}") from error
        self.members = [ArchiveMember(i.filename, i.file_size) for i in self._zip.infolist() if not i.is_dir()]
        if len(self.members) > MAX_MEMBERS:
            raise InputError(f"{path} has {len(self.members)} members; at most {MAX_MEMBERS} are read")
        stated = sum(member.size for member in self.members)
        if stated > most:
            raise InputError(f"{path} unpacks to {stated} bytes; at most {most} are read. Pack less of it")

    def names(self) -> list[str]:
        """The members' names, in the order of the zip; folders are left out."""
        return [member.name for member in self.members]

    def chunks(self, name: str, most: int = MAX_MEMBER) -> Iterator[bytes]:
        """A member in pieces of at most 256 KiB; its checksum is looked at after the last.

        most: bytes it may have. Raises `InputError` where it is missing, larger, encrypted or damaged.
        """
        info = self._info(name, most)
        try:
            with self._zip.open(info) as stream:
                while piece := stream.read(CHUNK):
                    self._count(len(piece))
                    yield piece
        except DAMAGE as error:
            raise InputError(f"{name} in {self.path} is damaged: {error}; get the file again") from error

    def read(self, name: str, most: int = MAX_MEMBER) -> bytes:
        """A whole member, as `chunks` takes it."""
        return b"".join(self.chunks(name, most))

    def extent(self, name: str) -> tuple[int, int]:
        """Where in the zip a member that is not compressed lies: first byte and size. Raises `InputError`."""
        info = self._info(name, self._size)
        if info.compress_type != zipfile.ZIP_STORED:
            raise InputError(f"{name} in {self.path} is compressed; pack it without")
        try:
            self._raw.seek(info.header_offset)
            head = self._raw.read(LOCAL.size)
            mark, *_, name_size, extra_size = LOCAL.unpack(head)
        except DAMAGE as error:
            raise InputError(f"{name} in {self.path} is damaged: {error}; get the file again") from error
        offset = info.header_offset + LOCAL.size + name_size + extra_size
        if mark != b"PK\3\4" or offset + info.file_size > self._size or info.file_size != info.compress_size:
            raise InputError(f"{name} in {self.path} lies outside of the file; get it again")
        return offset, info.file_size

    def picture(self, name: str) -> Image:
        """A member as a picture, RGB, by the rules of `kinblend.imaging`. Raises `InputError`."""
        from kinblend.imaging import decode_image

        return decode_image(self.read(name), f"{name} in {self.path}")

    def rows(self, name: str = "index.csv") -> list[dict[str, str]]:
        """A member as the rows of a CSV. Raises `InputError`."""
        from kinblend.storage.tables import csv_rows

        return csv_rows(self.read(name), f"{name} in {self.path}")

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
            raise InputError(f"{self.path} gives more than it may when unpacked; its index names members again")


class _Bounded:
    """A file of which nobody reads much at once: the list of members comes in one piece, as long as the file says."""

    def __init__(self, raw: IO[bytes], most: int) -> None:
        self._raw, self._most = raw, most
        self.seek, self.tell, self.seekable, self.close = raw.seek, raw.tell, raw.seekable, raw.close

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(size if 0 <= size <= self._most else self._most + 1)
        if len(data) > self._most:
            raise zipfile.BadZipFile("its list of members is too long")
        return data


def _limit(raw: BinaryIO) -> int:
    size = raw.seek(0, 2)
    raw.seek(0)
    return max(MAX_SMALL, GROWTH * size)
