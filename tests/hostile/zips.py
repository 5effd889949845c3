"""Zips that are damaged or ask for time and memory."""

import os
import struct
import zipfile
from pathlib import Path

MIB = 2**20


def packed(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def encrypted(path: Path) -> None:
    data = bytearray(packed(path, {"a": b"secret"}).read_bytes())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + place] |= 1
    path.write_bytes(data)


def damaged(path: Path) -> None:
    data = bytearray(packed(path, {"a": b"x" * 999}, zipfile.ZIP_STORED).read_bytes())
    data[500] ^= 1
    path.write_bytes(data)


def listing_of(count: int, extra: int = 0) -> bytes:
    """A zip's list of members that lie nowhere."""
    entry = (
        b"PK\1\2"
        + struct.pack("<6H3L5H2L", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, extra, 0, 0, 0, 0, 0)
        + b"a"
        + bytes(extra)
    )
    size = len(entry) * count
    wide = b"PK\6\6" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, count, count, size, 0)
    return entry * count + wide + b"PK\6\7" + struct.pack("<LQL", 0, size, 1) + b"PK\5\6" + b"\xff" * 16 + b"\0\0"


HOSTILE = {
    "nothing": (lambda path: None, "does not exist"),
    "a folder": (lambda path: path.mkdir(), "Is a directory"),
    "a FIFO": (lambda path: os.mkfifo(path), "a FIFO"),
    "a text": (lambda path: path.write_text("no zip"), "can't be read as a zip"),
    "empty": (lambda path: path.write_bytes(b""), "can't be read as a zip"),
    "encrypted": (encrypted, "is encrypted"),
    "damaged": (damaged, "is damaged"),
    "cut": (lambda path: path.write_bytes(packed(path, {"a": os.urandom(999)}).read_bytes()[:-40]), "as a zip"),
    "lzma": (lambda path: packed(path, {"a": b"x"}, zipfile.ZIP_LZMA), "pack it with deflate"),
    "a bomb": (lambda path: packed(path, {str(n): bytes(9 * MIB) for n in range(30)}), "unpacks to 283115520 bytes"),
    "one large member": (lambda path: packed(path, {"a": bytes(65 * MIB)}), "at most 67108864"),
    "too many members": (lambda path: path.write_bytes(listing_of(200_001)), "has 200001 members"),
    "a long listing": (lambda path: path.write_bytes(listing_of(300, 60_000)), "list of members is too long"),
}


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\nshowpage\n%%EOF\n"
