"""Tables and lists as spreadsheets, pandas and people write them: read, or the defect is named, line and column."""

import csv
import io
import json
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinblend.datasets import parse_list, parse_number, read_table, read_text
from kinblend.errors import InputError
from kinblend.families.model import KinshipSet
from kinblend.families.readers import read_families

FOLDERS = ("pics", "Bilder/Müller", "my pictures")


def pictures(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def trios(found: KinshipSet) -> list[tuple[str, ...]]:
    """The names of the pictures of each trio."""
    listed = []
    for family, house in found.nuclear():
        for trio in house.trios():
            people = (family.people[name] for name in (trio.father, trio.mother, trio.child))
            listed.append(tuple(";".join(picture.name for picture in one.pictures) for one in people))
    return listed


def written(rows: list[list[str]], separator: str, end: str, quoted: bool) -> str:
    text = io.StringIO(newline="")
    csv.writer(
        text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    ).writerows(rows)
    return text.getvalue()


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")


@settings(max_examples=150, deadline=None)
@given(
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(ENCODINGS),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    quoted=st.booleans(),
    declared=st.booleans(),
    header=st.sampled_from(
        [str.lower, str.upper, str.title, lambda name: f" {name} ", lambda name: name + "_Images"]
    ),
    names=st.sampled_from(["Family", "FAMILY ID", "family_id", "Family-ID"]),
    slashes=st.sampled_from(["/", "\\"]),
    beyond=st.integers(0, 3),
    blank=st.integers(0, 3),
    folder=st.sampled_from(FOLDERS),
    suffix=st.sampled_from([".csv", ".txt", ".tsv", ".CSV"]),
    wrapped=st.booleans(),
)
def test_a_table_of_any_program_gives_the_same_trios(
    separator: str, encoding: str, end: str, quoted: bool, declared: bool, header: Callable[[str], str], names: str,
    slashes: str, beyond: int, blank: int, folder: str, suffix: str, wrapped: bool,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        pictures(root, *(f"{folder}/{letter}.jpg" for letter in "abcdef"))
        rows = [[*map(header, ("father", "mother", "child")), names]]
        for trio, family in (("abc", "Jörg"), ("def", "Zoë")):
            rows.append([f"{folder}/{letter}.jpg".replace("/", slashes) for letter in trio] + [family])
        rows = [row + [""] * beyond for row in rows] + [[""] * (4 + beyond)] * blank
        text = written(rows, separator, end, quoted)
        if wrapped and not declared and end != "\r":  # as Excel saves lines that it did not split
            text = "".join('"' + line.replace('"', '""') + '"' + end for line in text.split(end) if line)
        text = (f"sep={separator}{end}" if declared else "") + text
        (root / f"list{suffix}").write_bytes(text.encode(encoding))
        name, found = read_families(root / f"list{suffix}")
        assert name == "table"
        assert trios(found) == [("a.jpg", "b.jpg", "c.jpg"), ("d.jpg", "e.jpg", "f.jpg")]
        assert [family.name for family in found.families] == ["Jörg", "Zoë"]
        kinds = {defect.kind for defect in found.defects}
        assert kinds == ({"not UTF-8"} if encoding == "cp1252" else set()), found.defects


LISTS: dict[str, Callable[[list[str]], str]] = {
    "Python": repr,
    "a tuple": lambda names: repr(tuple(names)),
    "a set": lambda names: "{" + repr(names)[1:-1] + "}",
    "JSON": json.dumps,
    "JSON in ASCII with its slashes masked": lambda names: json.dumps(names).replace("/", "\\/"),
    "NumPy": lambda names: str(np.array(names)),
    "NumPy's repr": lambda names: repr(np.array(names, dtype=object)).replace("\n", ""),
    "without quotation marks": lambda names: "[" + ", ".join(names) + "]",
    "with spaces alone": lambda names: "[" + " ".join(names) + "]",
    "semicolons": ";".join,
    "bars": "|".join,
    "semicolons and spaces": "; ".join,
    "commas": ", ".join,
    "lines": "\n".join,
    "paths": lambda names: repr([Path(name) for name in names]),
    "a word processor": lambda names: "[" + ", ".join(f"‘{name}’" for name in names) + "]",
    "a word processor's other ones": lambda names: "[" + ", ".join(f"“{name}”" for name in names) + "]",
    "one line a name": lambda names: "[" + ",\n ".join(map(repr, names)) + "]",
}
letters = st.text(st.sampled_from("abcXYZ019äöüéñ_-+@&"), min_size=1, max_size=8)
plain_names = st.builds("{}/{}.{}".format, letters, letters, st.sampled_from(["jpg", "JPG", "jpeg", "png", "webp"]))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(LISTS)), st.lists(plain_names, min_size=2, max_size=5, unique=True))
def test_a_list_in_a_cell_is_read_however_it_is_written(kind: str, names: list[str]) -> None:
    assert parse_list(LISTS[kind](names)) == names


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(
        ["Python", "a tuple", "JSON", "commas", "semicolons", "bars", "without quotation marks", "with spaces alone"]
    ),
    st.lists(st.builds("{} {}.jpg".format, letters, letters), min_size=2, max_size=4, unique=True),
)
def test_names_with_spaces_stay_whole(kind: str, names: list[str]) -> None:
    assert parse_list(LISTS[kind](names)) == names


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a.jpg", ["a.jpg"]), ("'a.jpg'", ["a.jpg"]), ("['a.jpg']", ["a.jpg"]), ("('a.jpg',)", ["a.jpg"]),
        ("['a.jpg', ]", ["a.jpg"]), ("[a.jpg]", ["a.jpg"]), (r"['pics\a.jpg', 'b.jpg']", [r"pics\a.jpg", "b.jpg"]),
        (r"['pics\\a.jpg']", [r"pics\a.jpg"]), (r"['it\'s.jpg']", ["it's.jpg"]), ('["it\'s.jpg"]', ["it's.jpg"]),
        ("Smith, John.jpg", ["Smith, John.jpg"]), (["a.jpg", "b.jpg"], ["a.jpg", "b.jpg"]), ("nan", []), ("#N/A", []),
        ("None", []), ("[]", []), ("", []), (None, []), (float("nan"), []), ("[nan]", []), ("[1.5, 2.5]", []),
        ("['a.jpg'] + ['b.jpg']", []), ("[['a.jpg'], ['b.jpg']]", []), ("[x for x in 'a.jpg']", []),
        ("['a.jpg' 3]", []),
        ("'a.jpg", ["'a.jpg"]), ("['a.jpg'", []), ("['a.jpg', 'b.jpg", []),
    ],
)  # fmt: skip
def test_cells(cell: object, names: list[str]) -> None:
    assert parse_list(cell) == names


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("[](){}'\",;| .ajpg\\\n…0"), max_size=40))
def test_any_cell_can_be_looked_at(cell: str) -> None:
    assert all(name and name == name.strip() for name in parse_list(cell))


def test_long_cells_take_no_time() -> None:
    """Cells of a million characters: what is looked at again and again would take days."""
    for cell in ("[" * 10**6, "['a.jpg' " + " " * 10**6, "a.jpg;" + " " * 10**6 + "b", "[" + ".ab" * 300_000 + "]",
                 "[" + " " * 10**6 + "'x]", "Path('" * 150_000, "array(" + ", dtype=" * 100_000, "['" + "\\" * 10**6,
                 "[" + "a.jpg " * 160_000 + "]"):  # fmt: skip
        parse_list(cell)


def table(folder: Path, text: str, name: str = "t.csv") -> KinshipSet:
    (folder / name).write_text(text, "utf-8")
    return read_families(folder / name)[1]


@pytest.mark.parametrize(
    "cell", ["['a.jpg' 'b.jpg' ... 'z.jpg']", "[a.jpg b.jpg ... z.jpg]", "['a.jpg', 'b.jpg', ...]", "[a.jpg … b.jpg]"]
)
def test_a_list_that_was_cut_short_is_a_defect_and_no_guess(cell: str, tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{letter}.jpg" for letter in "abcz"))
    found = table(tmp_path, f'father,mother,child\n"{cell}",b.jpg,c.jpg\n')
    assert [(d.line, d.kind) for d in found.defects] == [(2, "cell cut short")]
    assert "father: " in found.defects[0].reason and "..." in found.defects[0].reason


REFUSED: dict[str, tuple[bytes, str]] = {
    "other columns": (b"dad;mum;kid\r\n1;2;3\r\n", r"the columns dad, mum, kid, separated by semicolons, and lacks"),
    "one missing": (b"father\tmother\n1\t2\n", r"the columns father, mother, separated by tabs, and lacks child"),
    "one column": (b"father mother child\n1 2 3\n", r"the one column father mother child, and lacks father, mother"),
    "twice": (b"father,mother,child,Father\n1,2,3,4\n", r"has 'father' \(column 1\) and 'Father' \(column 4\)"),
    "twice the same": (b"father,mother,mother,child\n1,2,3,4\n", r"'mother' \(column 2\) and 'mother' \(column 3\)"),
    "an open quotation mark": (b'father,mother,child\n1,2,3\n1,"2,3\n4,5,6\n', r"line 3: a quotation mark opens"),
    "a zero": (b"father,mother,child\n1,2,3\n1,\x002,3\n", r"line 3, column 3: a byte of zero"),
    "no code page": (b"father,mother,child\n1,2,\x81\n", r"line 2, column 5: byte 0x81 is of neither UTF-8 nor"),
    "half UTF-16": ("father,mother,child\n1,2,3\n".encode("utf-16")[:-1], "begins as UTF-16 and is damaged"),
    "a workbook": (b"PK\x03\x04" + bytes(60), r"is a workbook \(\.xlsx or \.ods\); save it as \"CSV UTF-8\""),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + bytes(60), r"is a workbook \(\.xls\); save it"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_can_not_be_read_says_where_and_what_was_found(kind: str, tmp_path: Path) -> None:
    content, expected = REFUSED[kind]
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=expected) as caught:
        read_families(tmp_path / "t.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["xlsx", "xls", "ods", "XLSX", "xlsm"])
def test_a_workbook_is_named_by_its_name_too(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"t.{suffix}").write_bytes(b"anything")
    with pytest.raises(InputError, match='is a workbook; save it as "CSV UTF-8"'):
        read_families(tmp_path / f"t.{suffix}")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (r"C:\Users\me\a.jpg", "is a place on a drive of Windows; give paths relative to the table"),
        ("https://example.org/a.jpg", "is an address; fetch the picture"),
        ("gone/a.jpg", "does not exist"),
    ],
)  # fmt: skip
def test_why_a_picture_is_missing(path: str, reason: str, tmp_path: Path) -> None:
    pictures(tmp_path, "b.jpg", "c.jpg")
    found = table(tmp_path, f"father,mother,child\n{path},b.jpg,c.jpg\n")
    [defect] = found.defects
    assert (defect.line, defect.kind) == (2, "picture missing") and reason in defect.reason


def test_accents_in_two_parts_are_the_same_letters(tmp_path: Path) -> None:
    for stored, named in (("NFC", "NFD"), ("NFD", "NFC")):
        folder = tmp_path / stored
        pictures(folder, *(unicodedata.normalize(stored, f"é{letter}.jpg") for letter in "abc"))
        row = ",".join(unicodedata.normalize(named, f"é{letter}.jpg") for letter in "abc")
        found = table(folder, f"father,mother,child\n{row}\n")
        assert not found.defects and len(trios(found)) == 1


def test_names_that_look_like_lists_are_files_where_they_are(tmp_path: Path) -> None:
    names = ("[old] a.jpg", "a.jpg;b.jpg", "(1).jpg")
    pictures(tmp_path, *names)
    found = table(tmp_path, "father|mother|child\n" + "|".join(names) + "\n")
    assert trios(found) == [] or not found.defects
    assert {p.name for one in found.people() for p in one.pictures} == set(names)


def test_lines_are_counted_as_they_stand_in_the_file(tmp_path: Path) -> None:
    text = 'sep=;\nfather;mother;child;note\n\na.jpg;b.jpg;c.jpg;"two\nlines"\n;;;\ngone.jpg;b.jpg;c.jpg;\n'
    pictures(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    found = table(tmp_path, text)
    assert [d.line for d in found.defects if d.kind == "picture missing"] == [7]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,5", 1.5),
        ("1.5", 1.5),
        (" -0,25 ", -0.25),
        (",5", 0.5),
        ("7", 7.0),
        (3, 3.0),
        ("1e-3", 0.001),
        ("+2,0", 2.0),
    ],
)
def test_numbers_with_a_decimal_comma(text: object, number: float) -> None:
    assert parse_number(text) == number


@pytest.mark.parametrize("text", ["", "1,234,5", "1.234,5", "a", "1,5 m", "1;5", "--1"])
def test_no_numbers(text: str) -> None:
    with pytest.raises(ValueError):
        parse_number(text)


MATRIX = [
    ["FMID", "1", "2", "3", "Name", "Gender"],
    ["1", "0", "5", "4", "Jörg", "Male"],
    ["2", "5", "0", "4", "Ann", "Female"],
    ["3", "1", "1", "0", "Zoë", "Female"],
]


@settings(max_examples=100, deadline=None)
@given(
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(ENCODINGS),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    number=st.sampled_from(["{}", "{}.0", "{},0", " {} "]),
    quoted=st.booleans(),
    beyond=st.integers(0, 2),
    blank=st.integers(0, 2),
    declared=st.booleans(),
)
def test_families_in_the_wild_of_any_program(
    separator: str, encoding: str, end: str, number: str, quoted: bool, beyond: int, blank: int, declared: bool
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "F0001"
        pictures(folder, *(f"MID{n}/P0000{n}_face0.jpg" for n in (1, 2, 3)))
        rows = [[number.format(c) if c.isdigit() else c for c in row] + [""] * beyond for row in MATRIX]
        text = written(rows + [[""] * (6 + beyond)] * blank, separator, end, quoted or "," in number)
        (folder / "mid.csv").write_bytes(((f"sep={separator}{end}" if declared else "") + text).encode(encoding))
        name, found = read_families(place)
        assert name == "fiw" and len(trios(found)) == 1
        assert {one.name: one.gender for one in found.people()} == {"MID1": "m", "MID2": "f", "MID3": "f"}
        kinds = {(defect.kind, defect.line) for defect in found.defects}
        assert kinds == ({("not UTF-8", 2 + declared)} if encoding == "cp1252" else set())


@settings(max_examples=60, deadline=None)
@given(
    encoding=st.sampled_from(ENCODINGS),
    end=st.sampled_from(["\r\n", "\n", "\r"]),
    separator=st.sampled_from(["\t", ";", ","]),
    beyond=st.integers(0, 2),
    form=st.sampled_from(["NFC", "NFD"]),
)
def test_family101_of_any_program(encoding: str, end: str, separator: str, beyond: int, form: str) -> None:
    rows = [["0", "FAMI", "Müller"], ["1", "HUSB", "Jörg"], ["1", "WIFE", "Ann"], ["1", "SONN", "René"]]
    with tempfile.TemporaryDirectory() as place:
        for name in ("Jörg", "Ann", "René"):
            path = unicodedata.normalize(form, f"Family101_150x120/Müller/{name}/a.jpg")
            pictures(Path(place), path)
        text = end.join(separator.join(row + [""] * beyond) for row in rows)
        (Path(place) / "FAMILY101.txt").write_bytes(text.encode(encoding))
        name, found = read_families(place)
        assert name == "family101" and len(trios(found)) == 1, found.defects
        assert [d.kind for d in found.defects] == (["not UTF-8"] if encoding == "cp1252" else [])


@settings(max_examples=200, deadline=None)
@given(
    before=st.text(st.sampled_from("abc, \n"), max_size=40),
    letter=st.sampled_from("äöüßéèñçÅØ€„“"),
    after=st.text(st.sampled_from("abc, \n"), max_size=40),
)
def test_the_byte_that_is_not_utf_8_is_named_by_line_and_column(before: str, letter: str, after: str) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "t.txt"
        path.write_bytes((before + letter + after).encode("cp1252"))
        found = read_text(path)
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        [note] = found.notes
        assert found.text == before + letter + after
        assert (
            note.line == line
            and f"line {line}, column {column}: byte 0x{letter.encode('cp1252').hex()}" in note.reason
        )


def test_a_parquet_by_another_name_is_one(tmp_path: Path) -> None:
    from kinblend.storage.tables import write_table

    write_table(tmp_path / "t.parquet", {"a": int}, [{"a": 1}])
    (tmp_path / "t.parquet").rename(tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv").rows == [(1, {"a": 1})]
