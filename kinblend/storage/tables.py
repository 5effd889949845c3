"""Tables of texts and numbers: Parquet or CSV, by the file's suffix."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinblend.errors import InputError, UsageError
from kinblend.files import atomic_write, open_plain

SUFFIXES = (".parquet", ".csv")
LONGEST_CELL = 1_000_000  # characters
LARGEST = 2**28  # bytes of a CSV, and of all texts of a Parquet file
MOST_ROWS, MOST_CELLS = 2_000_000, 8_000_000
BATCH = 1000  # rows of a Parquet file that are unpacked at a time

Kind = type[str] | type[int] | type[float]


@dataclass(frozen=True)
class Table:
    """A table that was read. rows: each with its line in the file, counted from 1; a Parquet row's is its number."""

    columns: Sequence[str]
    rows: Sequence[tuple[int, Mapping[str, Any]]]


def read_table(path: str | Path) -> Table:
    """Read a table. A CSV's cells are texts. Raises `InputError` and, where pyarrow is missing, `UsageError`."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is neither a .parquet nor a .csv file")
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    return _read_parquet(path) if path.suffix.lower() == ".parquet" else csv_table(_read(path), str(path))


def write_table(path: str | Path, columns: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table, all or nothing; None is an empty cell. Raises `UsageError` for another suffix."""
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{path}: a table is a {' or '.join(SUFFIXES)} file")
    atomic_write(path, _to_parquet(columns, rows) if path.suffix == ".parquet" else _to_csv(columns, rows))


def csv_table(data: bytes, name: str) -> Table:
    """A CSV, UTF-8, with a line of columns; its cells are texts. name: what errors call it. Raises `InputError`."""
    reader = _csv_reader(data, name)
    try:
        columns = next((row for row in reader if row), [])
        return Table(columns, [(reader.line_num, _as_dict(columns, row)) for row in reader if row])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} can't be read: {error}") from error


def read_cells(path: str | Path) -> list[list[str]]:
    """A CSV whose first line is no list of columns: the cells of every line. Raises `InputError`."""
    reader = _csv_reader(_read(Path(path)), str(path))
    try:
        return list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} can't be read: {error}") from error


def csv_rows(data: bytes, name: str) -> list[dict[str, str]]:
    """The rows of `csv_table`; a row that lacks cells has "" for them, and cells beyond the columns are left out."""
    table = csv_table(data, name)
    return [{column: row.get(column) or "" for column in table.columns} for _, row in table.rows]


def _read(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror or error}") from error
    if len(data) > LARGEST:
        raise InputError(f"{path} has more than {LARGEST} bytes; give Parquet, or several tables")
    return data


def _read_parquet(path: Path) -> Table:
    pa = _pyarrow()
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        return Table(table.column_names, list(enumerate(table.to_pylist(), start=1)))
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} can't be read: {error}") from error


def _to_csv(columns: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _to_parquet(columns: Mapping[str, Kind], rows: Sequence[Mapping[str, Any]]) -> bytes:
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
        raise UsageError("Parquet needs pyarrow: pip install 'kinblend[families]', or name a .csv file") from None
    return pyarrow
