"""Tables that ask for time and memory."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def parquet(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def again(text: str, times: int) -> pa.DictionaryArray:
    """A column of the same text, which takes the file no more than one."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([text]))


HOSTILE = {
    "many rows.csv": lambda path: path.write_bytes(b"a\n" + b"1\n" * 5_000_000),
    "many empty lines.csv": lambda path: path.write_bytes(b"a\n" + b"\r\r" * 10_000_000),
    "a wide line.csv": lambda path: path.write_bytes(b"," * 50_000_000),
    "many columns, short rows.csv": lambda path: path.write_bytes(b"," * 100_000 + b"\n" + b"1\n" * 100_000),
    "a long cell.csv": lambda path: path.write_bytes(b"a\n" + b"1" * 20_000_000),
    "no text.csv": lambda path: path.write_bytes(b"a\n\xff\xfe"),
    "a FIFO.csv": lambda path: os.mkfifo(path),
    "a folder.csv": lambda path: path.mkdir(),
    "too large.csv": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 2**33),
    "many rows.parquet": lambda path: parquet(path, a=pa.repeat(1, 30_000_000)),
    "a long text, often.parquet": lambda path: parquet(path, a=again("x" * 1_000_000, 500)),
    "long texts, often.parquet": lambda path: parquet(path, a=again("x" * 90_000, 100_000)),
    "long texts in lists.parquet": lambda path: parquet(path, a=[["x" * 1_000_000] * 100]),
    "a long list.parquet": lambda path: parquet(
        path, a=pa.ListArray.from_arrays([0, 9_000_000], pa.repeat("x", 9_000_000))
    ),
    "a struct.parquet": lambda path: parquet(path, a=[{"b": 1}]),
    "bytes.parquet": lambda path: parquet(path, a=[b"b"]),
    "no Parquet.parquet": lambda path: path.write_bytes(b"PAR1" + bytes(99) + b"PAR1"),
    "a FIFO.parquet": lambda path: os.mkfifo(path),
}
