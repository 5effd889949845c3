"""The lines and cells of a CSV, whichever program wrote it: separators, quotes, Excel's first line `sep=;`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from kinblend.errors import InputError
from kinblend.storage.texts import TextNote, decode

SEPARATORS = (",", ";", "\t", "|")
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LONGEST_CELL = 1_000_000  # characters
MAX_ROWS, MAX_CELLS = 2_000_000, 8_000_000
MAX_COLUMNS = 16_384  # as many as a worksheet of Excel
LOOKED_AT = 20  # lines, to find out what separates cells

_DECLARED = re.compile(r'"?sep=(.)"?[ ,;\t|]*(\r\n|\r|\n|$)', re.IGNORECASE)


@dataclass(frozen=True)
class Separated:
    """A CSV that is open. lines: the number of each, from 1, and its cells, as texts without spaces around them."""

    lines: Iterator[tuple[int, list[str]]]
    separator: str
    notes: tuple[TextNote, ...]


def read_separated(data: bytes, name: str) -> Separated:
    """The lines of a CSV's content, blank ones too. name: what errors call it. Raises `InputError`."""
    # Looked at before anything is made of them: a separator may take a hundred times its byte in memory.
    cells = max(data.count(separator.encode()) for separator in SEPARATORS)
    if cells > MAX_CELLS or data.count(b"\n") + data.count(b"\r") > 2 * MAX_ROWS:
        raise InputError(f"{name} has more than {MAX_ROWS} rows or {MAX_CELLS} cells; give several tables")
    decoded = decode(data, name)
    text, skipped, declared = decoded.text.removeprefix("\ufeff"), 0, ""
    if found := _DECLARED.match(text):
        text, skipped, declared = text[found.end() :], 1, found[1]
    separator = declared or find_separator(text)
    lines = _lines(text, separator, name, skipped)
    if not declared and _is_quoted_whole(text, separator):
        separator = find_separator(_unquoted(text, LOOKED_AT))
        lines = _unpacked(lines, separator)
    return Separated(lines, separator, decoded.notes)


def find_separator(text: str) -> str:
    """What separates the cells of a CSV: the one that makes most of the first line, and the same of the next ones."""
    ranked = []
    for order, separator in enumerate(SEPARATORS):
        counts = [len(row) for row in islice(_rows(text, separator), LOOKED_AT) if any(map(str.strip, row))]
        first = counts[0] if counts else 0
        same = sum(count == first for count in counts) / max(len(counts), 1)
        ranked.append((first > 1, round(same, 1) > 0.5, first, -order, separator))
    return max(ranked)[-1]


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """The first lines, as far as they can be read."""
    head = io.StringIO("".join(islice(io.StringIO(text, newline=""), 4 * LOOKED_AT)), newline="")
    csv.field_size_limit(LONGEST_CELL)
    try:
        yield from csv.reader(head, delimiter=separator, skipinitialspace=True)
    except csv.Error:
        return


def _lines(text: str, separator: str, name: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(LONGEST_CELL)
    _refuse_open_quote(text, separator, name, skipped)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator != "\t")
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise InputError(f"{name}, line {reader.line_num + skipped}: more than {MAX_COLUMNS} cells")
            yield reader.line_num + skipped, [cell.strip() for cell in row]
    except csv.Error as error:
        raise InputError(f"{name} can't be read: {error} (line {reader.line_num + skipped})") from error


def _refuse_open_quote(text: str, separator: str, name: str, skipped: int) -> None:
    """A quotation mark that none closes would make one cell of all that follows."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator != "\t", strict=True
    )
    line = 0
    try:
        for _ in reader:
            line = reader.line_num
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise InputError(
                f"{name}, line {line + 1 + skipped}: a quotation mark opens a cell there that none closes; close it"
            ) from error


def _is_quoted_whole(text: str, separator: str) -> bool:
    """Whether every line is one cell that holds a line: what Excel makes of a CSV with separators not its own."""
    rows = [row for row in islice(_rows(text, separator), LOOKED_AT) if row]
    whole = all(len(row) == 1 and any(other in row[0] for other in SEPARATORS) for row in rows)
    return whole and len(rows) > 1 and text.lstrip().startswith('"')


def _unquoted(text: str, count: int) -> str:
    return "\n".join(row[0] for row in islice(_rows(text, ","), count) if row)


def _unpacked(lines: Iterator[tuple[int, list[str]]], separator: str) -> Iterator[tuple[int, list[str]]]:
    for number, cells in lines:
        inner = list(csv.reader([cells[0]], delimiter=separator)) if cells else []
        yield number, [cell.strip() for cell in (inner[0] if inner else [])]
