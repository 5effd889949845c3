"""Tables of texts and numbers: Parquet or CSV, by the file's suffix; and JSON lines, whose values may be anything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinblend.errors import InputError, UsageError
from kinblend.files import atomic_write, open_plain
from kinblend.storage.separated import MAX_CELLS, MAX_ROWS, NAMES, read_separated
from kinblend.storage.texts import LARGEST, TextNote, decode, read_bytes

SUFFIXES = (".parquet", ".csv")  # that are written
READABLE = (*SUFFIXES, ".tsv", ".tab", ".txt")
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
LONGEST_TEXT = 100_000  # characters of a Parquet file's
BATCH = 1000  # rows of a Parquet file that are unpacked at a time

Kind = type[str] | type[int] | type[float]


@dataclass(frozen=True)
class Table:
    """A table that was read.

    rows: each with its line in the file, counted from 1; a Parquet row's is its number. separator: of a CSV's cells.
    notes: what was not as it should be. A column that stands twice has its first cells in the rows.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[int, Mapping[str, Any]]]
    separator: str = ""
    notes: Sequence[TextNote] = ()

    def describe(self) -> str:
        """Its columns, and what separates them, for messages: "the columns a, b, separated by semicolons"."""
        named = ", ".join(f"{column!s:.40}" for column in self.columns[:12]) or "none"
        more = f" and {len(self.columns) - 12} more" if len(self.columns) > 12 else ""
        if len(self.columns) == 1:
            return f"the one column {named}"
        by = f", separated by {NAMES.get(self.separator, repr(self.separator))}" if self.separator else ""
        return f"the columns {named}{more}{by}"


@dataclass(frozen=True)
class Lines:
    """A CSV without a line of columns. lines: the number of each, from 1, and its cells. notes: as a table's."""

    lines: Sequence[tuple[int, list[str]]]
    notes: Sequence[TextNote] = ()


def read_table(path: str | Path) -> Table:
    """Read a table. A CSV's cells are texts. Raises `InputError` and, where pyarrow is missing, `UsageError`.

    A CSV may have commas, semicolons, tabs or bars between its cells, and be UTF-8, UTF-16 or Windows-1252.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind in WORKBOOKS:
        raise InputError(f'{path} is a workbook; save it as "CSV UTF-8" and give that')
    if kind not in READABLE:
        raise InputError(f"{path} is neither a .parquet nor a .csv file")
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    if kind == ".parquet":
        return _read_parquet(path)
    data = read_bytes(path)
    return _read_parquet(path) if data.startswith(b"PAR1") else csv_table(data, str(path))


def write_table(path: str | Path, columns: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table, all or nothing; None is an empty cell. Raises `UsageError` for another suffix."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: a table is a {' or '.join(SUFFIXES)} file")
    atomic_write(path, parquet_bytes(columns, rows) if path.suffix == ".parquet" else _to_csv(columns, rows))


def csv_table(data: bytes, name: str) -> Table:
    """A CSV with a line of columns; its cells are texts, and lines without any are left out.

    name: what errors call it. Raises `InputError`.
    """
    found = read_separated(data, name)
    lines = ((number, cells) for number, cells in found.lines if any(cells))
    _, columns = next(lines, (0, []))
    while columns and not columns[-1]:
        columns.pop()
    places: dict[str, int] = {}
    for place, column in enumerate(columns):
        places.setdefault(column, place)
    rows: list[tuple[int, dict[Any, Any]]] = []
    for number, cells in lines:
        if len(rows) * len(columns) > MAX_CELLS:
            raise InputError(f"{name} has more than {MAX_CELLS} cells; give several tables")
        row: dict[Any, Any] = {column: cells[at] if at < len(cells) else None for column, at in places.items()}
        beyond = cells[len(columns) :]
        rows.append((number, row | {None: beyond} if any(beyond) else row))
    return Table(columns, rows, found.separator, found.notes)


def read_json_lines(path: str | Path) -> list[tuple[int, dict[str, Any] | None]]:
    """An object a line, with the line's number, counted from 1; None for a line that holds none. Empty lines are left
    out. Raises `InputError`."""
    data = read_bytes(path)
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_CELLS or data.count(b"\n") > MAX_ROWS:
        raise InputError(f"{path} has more than {MAX_ROWS} rows or {MAX_CELLS} values; give several files")
    lines = enumerate(decode(data, str(path)).text.split("\n"), start=1)
    return [(number, _json_object(line)) for number, line in lines if line.strip()]


def _json_object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def check_parquet() -> None:
    """Raise `UsageError` where Parquet can't be written: asked before work that takes long."""
    _pyarrow()


def read_cells(path: str | Path) -> list[list[str]]:
    """A CSV whose first line is no list of columns: the cells of every line. Raises `InputError`."""
    return [cells for _, cells in read_lines(path).lines]


def read_lines(path: str | Path) -> Lines:
    """As `read_cells`, with the number of each line, and notes. Raises `InputError`."""
    found = read_separated(read_bytes(path), str(path))
    return Lines(list(found.lines), found.notes)


def csv_rows(data: bytes, name: str) -> list[dict[str, str]]:
    """The rows of `csv_table`; a row that lacks cells has "" for them, and cells beyond the columns are left out."""
    table = csv_table(data, name)
    return [{column: row.get(column) or "" for column in table.columns} for _, row in table.rows]


def _read_parquet(path: Path) -> Table:
    pa = _pyarrow()
    import pyarrow.parquet as pq

    try:
        with open_plain(path) as stream:
            with pq.ParquetFile(stream, pre_buffer=False) as file:
                texts = _check_parquet(path, file)
            stream.seek(0)
            # What recurs is unpacked once for each batch, else a few bytes of a file could take all memory.
            with pq.ParquetFile(stream, read_dictionary=texts, pre_buffer=False) as file:
                rows = list(enumerate(_parquet_rows(path, file), start=1))
                return Table(file.schema_arrow.names, rows)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} can't be read: {' '.join(str(error).split())}") from error


def _check_parquet(path: Path, file: Any) -> list[str]:
    """The paths of the columns that hold texts. Raises `InputError` where a column is odd, or there are too many
    rows."""
    for field in file.schema_arrow:
        if not _is_plain(field.type):
            raise InputError(
                f"{path}: column {field.name!r} holds {field.type}; give texts, numbers and lists of texts"
            )
    about = file.metadata
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    values = sum(group.column(n).num_values for group in groups for n in range(about.num_columns))
    if about.num_rows > MAX_ROWS or max(values, about.num_rows * about.num_columns) > MAX_CELLS:
        raise InputError(f"{path} has more than {MAX_ROWS} rows or {MAX_CELLS} cells; give several tables")
    leaves = [about.schema.column(number) for number in range(about.num_columns)]
    return [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_dictionary(kind):
        kind = kind.value_type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_primitive, pa.types.is_null)
    return any(is_known(kind) for is_known in known)


def _parquet_rows(path: Path, file: Any) -> Iterator[dict[str, Any]]:
    """The rows, some at a time. Raises `InputError` where their texts are longer than those of any table."""
    left = LARGEST
    for batch in file.iter_batches(batch_size=BATCH):
        for column in batch.columns:
            words = getattr(getattr(column, "values", column), "dictionary", None)
            if words is not None and max((len(word or "") for word in words.to_pylist()), default=0) > LONGEST_TEXT:
                raise InputError(f"{path} has a text of more than {LONGEST_TEXT} characters; leave that column out")
        for row in batch.to_pylist():
            left -= sum(_letters(value) for value in row.values())
            if left < 0:
                raise InputError(f"{path} has texts of more than {LARGEST} characters; give several tables")
            yield row


def _letters(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_letters, value))
    return len(value) if isinstance(value, str) else 0


def _to_csv(columns: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet_bytes(columns: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The content of a Parquet file; None is an empty cell. Raises `UsageError` where pyarrow is missing."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    types = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema([pa.field(name, types[kind]) for name, kind in columns.items()])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema), buffer)
    return buffer.getvalue()


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise UsageError("Parquet needs pyarrow: pip install 'kinblend[batch]'; a .csv file needs nothing") from None
    return pyarrow
