"""Tables of anybody's making: what they hold comes out, or one sentence that says why not, in bounded memory."""

from pathlib import Path

import pyarrow as pa
import pytest
from hostile.tables import HOSTILE, parquet
from plugin_site import read_apart

from kinblend.errors import InputError
from kinblend.storage.tables import csv_table, read_cells, read_json_lines, read_table


def test_rows_shorter_and_longer_than_the_columns() -> None:
    table = csv_table(b'a,b\n1,2\n\n3\n4,5,6\n"x\ny",z\n', "t")
    assert table.columns == ["a", "b"]
    assert table.rows == [
        (2, {"a": "1", "b": "2"}),
        (4, {"a": "3", "b": None}),
        (5, {"a": "4", "b": "5", None: ["6"]}),
        (7, {"a": "x\ny", "b": "z"}),
    ]
    assert csv_table(b"", "t").columns == []


def test_parquet_of_texts_numbers_and_lists(tmp_path: Path) -> None:
    columns = {
        "text": ["a", None, "ü"],
        "large": pa.array(["x", "y", "x"], pa.large_string()),
        "category": pa.array(["x", "y", "x"]).dictionary_encode(),
        "number": [1, 2, None],
        "rate": [0.5, None, 1.5],
        "list": [["a.jpg", "b.jpg"], [], None],
    }
    table = read_table(parquet(tmp_path / "t.parquet", **columns))
    assert table.columns == list(columns)
    assert table.rows[0] == (
        1,
        {"text": "a", "large": "x", "category": "x", "number": 1, "rate": 0.5, "list": ["a.jpg", "b.jpg"]},
    )
    assert [row["list"] for _, row in table.rows] == [["a.jpg", "b.jpg"], [], None]


def test_finding_11_hostile_tables_take_neither_time_nor_memory(tmp_path: Path) -> None:
    for name, make in HOSTILE.items():
        make(tmp_path / name)
    tried = read_apart(
        "import pyarrow.parquet\nfrom kinblend.storage.tables import read_table",
        ["read_table"],
        [tmp_path / name for name in HOSTILE],
    )
    for name, (said, grown, seconds) in zip(HOSTILE, tried, strict=True):
        assert said.startswith("InputError: ") and name in said, (name, said)
        assert grown < 1e9 and seconds < 10, (name, grown, seconds)


def test_finding_21_a_huge_cell_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"1" * 2_000_000 + b",2\n")
    for read in (read_table, read_cells):
        with pytest.raises(InputError, match=r"t\.csv can't be read: field larger"):
            read(tmp_path / "t.csv")


def test_json_lines_that_are_no_objects_are_told_apart_by_their_numbers(tmp_path: Path) -> None:
    lines = [
        b'\xef\xbb\xbf{"a": [1]}',
        b"",
        b"[1]",
        b"{",
        b'{"a": ' + b"9" * 5000 + b"}",
        "ÿ".encode(),
        b'{"b": "x\\n"}\r',
    ]
    lines += [b"[" * 100_000, b'{"a":' * 100_000]
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines))
    found = read_json_lines(tmp_path / "t.jsonl")
    assert found == [(1, {"a": [1]}), *((n, None) for n in (3, 4, 5, 6)), (7, {"b": "x\n"}), (8, None), (9, None)]


def test_json_lines_that_would_take_all_memory_are_refused(tmp_path: Path) -> None:
    texts = (b"[]," * 5_000_000, b"{" * 9_000_000, b"\n" * 3_000_000, b"[" * 9_000_000)
    paths = [tmp_path / f"{number}.jsonl" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text)
    for said, grown, _ in read_apart(
        "from kinblend.storage.tables import read_json_lines", ["read_json_lines"], paths
    ):
        assert said.startswith("InputError") and "give several files" in said
        assert grown < 200 * 2**20
