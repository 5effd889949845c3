"""Tables of texts and numbers: Parquet or CSV, by the file's suffix."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from kinblend.errors import InputError, UsageError
from kinblend.files import atomic_write, open_plain

SUFFIXES = (".parquet", ".csv")
LONGEST_CELL = 1_000_000  # characters
LARGEST = 2**28  # bytes of a CSV, and of all texts of a Parquet file
MAX_ROWS, MAX_CELLS = 2_000_000, 8_000_000
LONGEST_TEXT = 100_000  # characters of a Parquet file's
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
    lines = _csv_lines(data, name)
    _, columns = next(lines, (0, []))
    rows: list[tuple[int, dict[Any, Any]]] = []
    for number, cells in lines:
        if len(rows) * len(columns) > MAX_CELLS:
            raise InputError(f"{name} has more than {MAX_CELLS} cells; give several tables")
        row: dict[Any, Any] = dict(zip_longest(columns, cells[: len(columns)]))
        rows.append((number, row | {None: cells[len(columns) :]} if len(cells) > len(columns) else row))
    return Table(columns, rows)


def read_cells(path: str | Path) -> list[list[str]]:
    """A CSV whose first line is no list of columns: the cells of every line. Raises `InputError`."""
    return [cells for _, cells in _csv_lines(_read(Path(path)), str(path), empty=True)]


def csv_rows(data: bytes, name: str) -> list[dict[str, str]]:
    """The rows of `csv_table`; a row that lacks cells has "" for them, and cells beyond the columns are left out."""
    table = csv_table(data, name)
    return [{column: row.get(column) or "" for column in table.columns} for _, row in table.rows]


def _csv_lines(data: bytes, name: str, *, empty: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The number of each line and its cells; those without cells only where `empty`. Raises `InputError`."""
    # Looked at before anything is made of them: a separator may take a hundred times its byte in memory.
    if data.count(b",") > MAX_CELLS or data.count(b"\n") + data.count(b"\r") > 2 * MAX_ROWS:
        raise InputError(f"{name} has more than {MAX_ROWS} rows or {MAX_CELLS} cells; give several tables")
    csv.field_size_limit(LONGEST_CELL)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        for row in reader:
            if row or empty:
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name} can't be read: {error}") from error


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
