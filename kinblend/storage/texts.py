"""Texts of anybody's making: UTF-8, UTF-16, or Windows' code page, with a note of what was not as it should be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kinblend.errors import InputError
from kinblend.file_kinds import HEAD, describe_head
from kinblend.files import open_plain

LARGEST = 2**28  # bytes

MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
WORKBOOKS = ((b"PK\x03\x04", ".xlsx or .ods"), (b"\xd0\xcf\x11\xe0", ".xls"))


@dataclass(frozen=True)
class TextNote:
    """Something in a text that is not as it should be, and what was done about it.

    line: counted from 1; None for the whole. kind: a few words that the same notes share. reason: for a defect's.
    """

    line: int | None
    kind: str
    reason: str


@dataclass(frozen=True)
class Text:
    """A text that was read."""

    text: str
    notes: tuple[TextNote, ...] = ()


def read_text(path: str | Path) -> Text:
    """The text of a file, in UTF-8, UTF-16 or, with a note, Windows-1252 (of which Latin-1's letters are a part).

    Raises `InputError` where it can't be read, is larger than 256 MiB, or is no text, with what it is.
    """
    return decode(read_bytes(path), str(path))


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a file of at most 256 MiB. Raises `InputError`."""
    try:
        with open_plain(path) as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise InputError(f"{path} has more than {LARGEST} bytes; give Parquet, or several tables")
    return data


def decode(data: bytes, name: str) -> Text:
    """The text of a file's content. name: what errors call it. Raises `InputError`, as `read_text` does."""
    refuse_workbook(data, name)
    encoding = _encoding(data)
    notes: tuple[TextNote, ...] = ()
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            raise InputError(f"{name} begins as {encoding.upper()} and is damaged; save it as UTF-8") from error
        text, notes = _windows(data, name, error.start)
    if (place := text.find("\0")) >= 0:
        what = describe_head(data[:HEAD])
        raise InputError(
            f"{name} is {what}"
            if what
            else f"{name}, {where(text, place)}: a byte of zero, which no text has; save it as UTF-8"
        )
    return Text(text, notes)


def refuse_workbook(data: bytes, name: str) -> None:
    """Raise `InputError` for a workbook of Excel or LibreOffice."""
    for mark, kind in WORKBOOKS:
        if data.startswith(mark):
            raise InputError(f'{name} is a workbook ({kind}); save it as "CSV UTF-8" and give that')


def where(text: str, place: int) -> str:
    """A place in a text for people: "line 3, column 25"."""
    before = text[:place].replace("\r\n", "\n").replace("\r", "\n")
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


def _encoding(data: bytes) -> str:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:HEAD]
    for encoding, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(head) >= 8 and zeros.count(0) > 0.7 * len(zeros) and head.count(0) < 0.6 * len(head):
            return encoding
    return "utf-8"


def _windows(data: bytes, name: str, start: int) -> tuple[str, tuple[TextNote, ...]]:
    """The text as Windows-1252, which the byte at `start` says that it is."""
    text = data.decode("latin-1")
    for mark in ("\xff\xfe", "\xfe\xff"):
        if (place := text.find(mark)) >= 0:
            raise InputError(
                f"{name}, {where(text, place)}: a mark of UTF-16 amid another encoding; save it as UTF-8"
            )
    found = f"byte 0x{data[start]:02x}"
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        at = where(text, error.start)
        raise InputError(
            f"{name}, {at}: byte 0x{data[error.start]:02x} is of neither UTF-8 nor Windows-1252; save it as UTF-8"
        ) from error
    at = where(text, start)
    line = int(at.split()[1].rstrip(","))
    reason = f"is not UTF-8 ({at}: {found}); read as Windows-1252, there {text[start]!r}"
    return text, (TextNote(line, "not UTF-8", reason),)
