"""What a file that was taken for another looks like, for messages."""

from __future__ import annotations

from pathlib import Path

from kinblend.files import open_plain

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_TEXT = frozenset(range(32, 127)) | frozenset(b"\t\n\r\f") | frozenset(range(128, 256))  # UTF-8 and Latin-1


def file_kind(path: str | Path) -> str:
    """What a file is by how it begins: "a picture", "a table" or "a text".

    Empty for anything else, and where it can't be read.
    """
    try:
        with open_plain(path) as file:
            start = file.read(64)
    except OSError:  # whoever needs it says why
        return ""
    if start.startswith(_PICTURES) or start[8:12] == b"WEBP":
        return "a picture"
    text = bool(start) and all(byte in _TEXT for byte in start)
    if start.startswith(b"PAR1") or (text and Path(path).suffix.lower() in (".csv", ".tsv")):
        return "a table"
    return "a text" if text else ""
