"""Lists of couples: every format says the same, what is wrong with a row stays with the row."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinblend.batch import read_couples, request_of
from kinblend.batch.couples import chosen
from kinblend.errors import InputError, UsageError
from kinblend.storage.tables import write_table

ROWS = [
    {"id": "a", "father": "f.png", "mother": "m.png", "age": 30.0, "blender": "mask", "edits": {"smile": 1}},
    {"id": "b", "father": "f.png", "mother": "n.png", "seed": 7, "children": 2, "cohort": "x"},
    {"id": "c", "father": "g.png", "mother": "m.png", "age": "parents", "neutral": False},
]


def written(folder: Path, kind: str) -> Path:
    """The rows as a file of that kind, or as folders."""
    path = folder / f"couples.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(map(json.dumps, ROWS)) + "\n\n")
    elif kind == "csv":
        path.write_text(
            "id,father,mother,age,blender,edits.smile,seed,children,neutral,cohort\n"
            "a,f.png,m.png,30,mask,1,,,,\n"
            "b,f.png,n.png,,,,7,2,,x\n"
            "c,g.png,m.png,parents,,,,,false,\n"
        )
    else:
        columns = dict.fromkeys(("id", "father", "mother", "age", "blender", "edits", "neutral", "cohort"), str)
        rows = [row | ({"edits": json.dumps(row["edits"])} if "edits" in row else {}) for row in ROWS]
        texts = [
            {name: value if isinstance(value, (int, str)) else json.dumps(value) for name, value in row.items()}
            for row in rows
        ]
        texts[2]["neutral"] = "false"
        write_table(path, columns | {"seed": int, "children": int}, texts)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_every_format_says_the_same(kind: str, tmp_path: Path) -> None:
    couples = read_couples(written(tmp_path, kind))
    assert [(one.number, one.id, one.problem) for one in couples] == [(1, "a", ""), (2, "b", ""), (3, "c", "")]
    assert [one.father for one in couples] == [tmp_path / name for name in ("f.png", "f.png", "g.png")]
    first, second, third = (request_of(one.fields) for one in couples)
    assert (first.age, first.blender, first.edits, first.by_default) == (30, "mask", {"smile": 1}, ("sex",))
    assert (second.age, second.sex, second.seed, second.children) == (8, "any", 7, 2)
    assert second.by_default == ("age", "sex")
    assert (third.age, third.sex, third.neutral, third.by_default) == (None, "any", False, ("sex",))
    assert [one.id for one in chosen(couples, {"cohort": "x"})] == ["b"]
    assert [one.id for one in chosen(couples, {"father": "f.png"}, 1)] == ["a"]
    with pytest.raises(UsageError, match="no row has the column 'kohort'"):
        chosen(couples, {"kohort": "x"})


@pytest.mark.parametrize(
    ("separator", "encoding"), [(";", "utf-8-sig"), ("\t", "utf-16"), (",", "windows-1252"), ("|", "utf-8")]
)
def test_tables_of_spreadsheets_are_tables(separator: str, encoding: str, tmp_path: Path) -> None:
    rows = (("id", "father", "mother", "age"), ("Müller", "f.png", "m.png", "9"), ("Weiß", "f.png", "n.png", ""))
    (tmp_path / "couples.csv").write_bytes("\r\n".join(map(separator.join, rows)).encode(encoding))
    couples = read_couples(tmp_path / "couples.csv")
    assert [(one.id, one.problem) for one in couples] == [("Müller", ""), ("Weiß", "")]
    assert [request_of(one.fields).age for one in couples] == [9, 8]
    lines = "\n".join(json.dumps(dict(zip(rows[0], row, strict=True)), ensure_ascii=False) for row in rows[1:])
    (tmp_path / "couples.jsonl").write_bytes(lines.encode(encoding))
    assert [one.id for one in read_couples(tmp_path / "couples.jsonl")] == ["Müller", "Weiß"]


def test_folders_are_couples(tmp_path: Path) -> None:
    for name, files in {"b": ("father.jpg", "mother.png"), "a": ("father.png", "mother.webp"), "notes": ()}.items():
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).touch()
    (tmp_path / "a" / "request.json").write_text('{"age": 12}')
    (tmp_path / "b" / "father.png").touch()
    first, second = read_couples(tmp_path)
    assert (first.id, first.father, first.fields) == ("a", tmp_path / "a" / "father.png", {"age": 12})
    assert (second.id, second.problem) == ("b", "the row names no photograph of the father")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("father,mother,blendr\nf,m,mask\n", r"no field 'blendr'; did you mean 'blender'"),
        ("father,mother,edit.smile\nf,m,1\n", r"no field 'edit'; did you mean 'edits'"),
        ("father,mother,father_fac\nf,m,1\n", "did you mean 'father_face'"),
        ("dad,mum\nf,m\n", "no columns father and mother"),
        ("father,mother\n", "has no couples"),
    ],
)
def test_a_table_that_will_not_do(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "couples.csv").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_couples(tmp_path / "couples.csv")


@pytest.mark.parametrize("name", ["couples.txt", "couples.csv", "couples.jsonl", "couples.parquet"])
def test_a_file_that_is_not_there_or_of_another_kind(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"does not exist|no table of couples"):
        read_couples(tmp_path / name)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"mother": "m.png"}', "names no photograph of the father"),
        ('{"father": "f.png", "mother": "", "age": 3}', "names no photograph of the mother"),
        ('{"father": "f.png", "mother": "m.png", "edits": "smile"}', "edits='smile': give JSON"),
        ('{"father": "f.png", "mother": "m.png", "edits": 1, "edits.smile": 1}', "which is no mapping"),
        ('{"id": "good", "father": "f.png", "mother": "m.png"}', "the id 'good' is another row's already"),
        ("{", "no object of fields"),
        ("[1]", "no object of fields"),
        ('{"father": "\\ud800"', "no object of fields"),
    ],
)
def test_what_is_wrong_with_a_row_stays_with_the_row(line: str, reason: str, tmp_path: Path) -> None:
    good = '{"id": "good", "father": "f.png", "mother": "m.png"}'
    (tmp_path / "couples.jsonl").write_text(f"{good}\n{line}\n")
    first, second = read_couples(tmp_path / "couples.jsonl")
    assert first.problem == ""
    assert reason in second.problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["id", "father", "mother", "age", "sex", "edits", "blender_options", "seed", "by_default"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(NAMES, JSON), min_size=1, max_size=5))
def test_whatever_a_row_holds_it_is_a_row_with_a_request_or_a_reason(rows: list[dict]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "couples.jsonl"
        lines = [json.dumps({"father": "f.png", "mother": "m.png"}), *map(json.dumps, rows)]
        path.write_text("\n".join(lines))
        couples = read_couples(path)
    assert [one.number for one in couples] == list(range(1, len(rows) + 2))
    for couple in couples:
        assert couple.id.encode()  # whatever can't be written into an index has been replaced
        try:
            request_of(couple.fields)
        except UsageError as error:
            assert str(error)


def test_defaults_are_for_rows_without_the_field_and_are_not_shared(tmp_path: Path) -> None:
    (tmp_path / "couples.csv").write_text("father,mother,age,edits.smile\nf,m,,2\nf,m,20,\n")
    defaults = {"age": 5, "edits": {"smile": 1}, "blender_options": {"shares": {"features": 1}}}
    first, second = read_couples(tmp_path / "couples.csv", defaults)
    assert (first.fields["age"], first.fields["edits"]) == (5, {"smile": 2})
    assert (second.fields["age"], second.fields["edits"]) == ("20", {"smile": 1})
    assert defaults["edits"] == {"smile": 1}


def test_siblings_and_mutation_are_columns(tmp_path: Path) -> None:
    (tmp_path / "couples.csv").write_text("father,mother,siblings,mutation\nf.jpg,m.jpg,0.5,\nf.jpg,m.jpg,2,\n")
    first, second = read_couples(tmp_path / "couples.csv")
    asked = request_of(first.fields)
    assert (asked.siblings, asked.mutation) == (0.5, 0.0)
    with pytest.raises(UsageError, match="siblings"):
        request_of(second.fields)
