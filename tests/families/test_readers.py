"""The other layouts: TSKinFace, Families in the Wild, tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from plugin_site import here

from kinblend.datasets import parse_list
from kinblend.errors import InputError, UnknownPluginError
from kinblend.families.model import Family, KinshipSet, Member, NuclearFamily, Person
from kinblend.families.pairs import pairs
from kinblend.families.readers import read_families
from kinblend.families.stats import statistics
from kinblend.families.trio_list import TrioFiles, write_trio_list
from kinblend.storage.tables import write_table


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def kinds(found: KinshipSet) -> Counter[str]:
    return Counter(defect.kind for defect in found.defects)


def parents_of(found: KinshipSet) -> dict[str, tuple[str, str]]:
    return {t.child: (t.father, t.mother) for _, house in found.nuclear() for t in house.trios()}


def test_tskinface_counts(tmp_path: Path) -> None:
    """As many of each kind as the real set has."""
    for group, count in (("FMS", 285), ("FMD", 274), ("FMSD", 228)):
        touch(tmp_path / group, *(f"{group}-{n}-{letter}.jpg" for n in range(1, count + 1) for letter in group))
    name, found = read_families(tmp_path)
    figures = statistics(found)
    groups = Counter(family.name.partition("-")[0] for family in found.families)
    assert (name, groups) == ("tskinface", {"FMS": 285, "FMD": 274, "FMSD": 228})
    assert (figures["trios"], figures["trios_with_images"], figures["images"]) == (1015, 1015, 2589)


def test_tskinface_defects(tmp_path: Path) -> None:
    touch(tmp_path, "FMS-1-F.jpg", "FMS-1-M.jpg", "FMS-1-S.jpg", "FMS-2-F.jpg", "FMS-2-M.jpg", "FMS-2-D.jpg", "x.txt")
    touch(tmp_path, "again/FMS-1-F.jpg", ".DS_Store", "._FMS-1-F.jpg")
    (tmp_path / "FMS-1-S.jpg").write_bytes(b"")
    found = read_families(tmp_path)[1]
    assert kinds(found) == {
        "picture missing": 1,
        "role out of place": 1,
        "unknown file": 1,
        "picture stands twice": 1,
        "empty file": 1,
    }
    figures = statistics(found)
    assert (figures["trios"], figures["trios_with_images"], figures["incomplete_nuclear_families"]) == (1, 0, 1)


MATRIX = """MID,1,2,3,4,5,Name,Gender
1,0,5,4,4,5,Jan,m
2,5,0,4,0,0,Äda,Female
3,1,1,0,2,0,Tom,m
4,1,0,2,0,1,Eva,f
5,5,0,0,4,0,Ida,f
"""


def test_families_in_the_wild_has_nuclear_families_by_parents(tmp_path: Path) -> None:
    folder = tmp_path / "train" / "faces" / "F0001"
    touch(folder, *(f"MID{n}/P{n}.jpg" for n in range(1, 6)), "unrelated_and_nonfaces/x.jpg")
    (folder / "mid.csv").write_text(MATRIX, "utf-8")
    name, found = read_families(tmp_path)
    assert name == "fiw"
    assert parents_of(found) == {"MID3": ("MID1", "MID2"), "MID4": ("MID1", "MID5")}
    assert kinds(found) == {"pictures of nobody": 1}
    assert found.families[0].people["MID2"].gender == "f"


def test_families_in_the_wild_names_the_photograph_of_each_face(tmp_path: Path) -> None:
    touch(tmp_path / "F0001", "MID1/P00003_face0.jpg", "MID1/other.jpg")
    (tmp_path / "F0001" / "mid.csv").write_text("FID,1,Name,Gender\n1,0,a,m\n")
    _, found = read_families(tmp_path)
    assert found.photograph is not None
    pictures = next(found.people()).pictures
    assert [found.photograph(picture) for picture in pictures] == ["F0001/P00003", None]


def test_families_in_the_wild_defects(tmp_path: Path) -> None:
    folder = tmp_path / "F0002"
    touch(folder, "MID1/a.jpg", "MID7/a.jpg")
    matrix = "MID,1,2,3,4,Name,Gender\n1,0,5,4,0,a,m\n2,5,0,4,0,b,f\n3,1,0,0,0,c,?\nnonsense\n"
    (folder / "mid.csv").write_text(matrix)
    (tmp_path / "F0003").mkdir()
    found = read_families(tmp_path)[1]
    assert kinds(found) == {
        "relation one way only": 1,
        "gender unknown": 1,
        "malformed row": 1,
        "member without row": 1,
        "person without folder": 2,
        "folder not listed": 1,
        "list unreadable": 1,
    }
    assert [d.line for d in found.defects if d.kind == "relation one way only"] == [3]
    assert statistics(found)["incomplete_nuclear_families"] == 2


LISTS = """family_id,father_name,mother_name,child_name,father_images,mother_images,child_images
0,Jan,Ada,Tom,"['a/1.jpg', 'a/2.jpg']","['b/1.jpg']","['c/1.jpg', 'c/gone.jpg']"
1,Jan,Ada,Eva,"['a/1.jpg', 'a/2.jpg']","['b/1.jpg']","['d/1.jpg']"
2,Per,Ida,Max,"['e/1.jpg']","__import__('os').system('touch evaluated')","['f/1.jpg']"
3,Per,Ida,Max,"['e/1.jpg']","['g/1.jpg']","['f/1.jpg']"
"""


def test_a_table_with_lists_in_its_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows 0 and 1 are siblings under two numbers: their pictures say that it is one family."""
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a/1.jpg", "a/2.jpg", "b/1.jpg", "c/1.jpg", "d/1.jpg", "e/1.jpg", "f/1.jpg", "g/1.jpg")
    (tmp_path / "checkpoint10.csv").write_text(LISTS)
    name, found = read_families(tmp_path / "checkpoint10.csv")
    assert name == "table"
    assert not (tmp_path / "evaluated").exists()
    assert parents_of(found) == {"Tom": ("Jan", "Ada"), "Eva": ("Jan", "Ada"), "Max": ("Per", "Ida")}
    assert [family.name for family in found.families] == ["0", "2"]
    assert len(found.families[0].people["Jan"].pictures) == 2
    # What looks like a call is taken as the name of a file, which isn't there.
    assert kinds(found) == {"picture missing": 2, "families that share pictures": 2}


def test_numbers_in_a_parquet_name_families_too(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{n}.jpg" for n in range(7)))
    rows = [
        {"family_id": 0, "father": "0.jpg", "mother": "1.jpg", "child": "2.jpg"},
        {"family_id": 1, "father": "3.jpg", "mother": "4.jpg", "child": "5.jpg"},
        {"family_id": 0, "father": "0.jpg", "mother": "1.jpg", "child": "6.jpg"},
    ]
    columns = {"family_id": int, "father": str, "mother": str, "child": str}
    write_table(tmp_path / "numbers.parquet", columns, rows)
    found = read_families(tmp_path / "numbers.parquet")[1]
    assert {family.name: len(family.people) for family in found.families} == {"0": 4, "1": 3}
    assert not found.defects


@pytest.mark.parametrize(
    "cell", ["[1, 2]", "['a', None]", "[", "[" * 5000, "['a'] * 9", "{}", "", "[open('x')]", None]
)
def test_cells_that_are_no_list_of_pictures(cell: str | None) -> None:
    assert parse_list(cell) == (["{}"] if cell == "{}" else [])


def test_our_own_lists_are_tables_too(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{n}.jpg" for n in range(4)))
    father, mother, one, two = (tmp_path / f"{n}.jpg" for n in range(4))
    rows = [
        TrioFiles("A", father, mother, one, "1", "F", "M", "S", "m", "val"),
        TrioFiles("A", father, mother, two, "1", "F", "M", "D", "f", "val"),
    ]
    write_trio_list(tmp_path / "list.parquet", rows)
    found = read_families(tmp_path / "list.parquet")[1]
    assert parents_of(found) == {"S": ("F", "M"), "D": ("F", "M")}
    assert {p.name: p.gender for p in found.people()} == {"F": "m", "M": "f", "S": "m", "D": "f"}
    assert not found.defects


def test_what_no_reader_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not laid out as prepared, family101, fiw, tskinface, kinfacew, table"):
        read_families(tmp_path)
    with pytest.raises(InputError, match="not laid out as fiw;"):
        read_families(tmp_path, "fiw")
    with pytest.raises(InputError, match="does not exist"):
        read_families(tmp_path / "nowhere")
    with pytest.raises(UnknownPluginError):
        read_families(tmp_path, "lfw")


def test_kinfacew_is_pairs_and_no_trio(tmp_path: Path) -> None:
    touch(tmp_path / "images" / "father-dau", "fd_001_1.jpg", "fd_001_2.jpg", "fd_002_1.jpg", "fd_002_2.jpg")
    touch(tmp_path / "images" / "mother-son", "ms_001_1.jpg", "ms_001_2.jpg", "Thumbs.db")
    touch(tmp_path, "meta_data/fd_pairs.mat", "ReadMe.txt")
    name, found = read_families(tmp_path)
    assert name == "kinfacew"
    assert not found.defects
    listed = [(pair.family, pair.relation, pair.parent.gender, pair.child.gender) for pair in pairs(found)]
    assert listed == [
        ("fd_001", "father–daughter", "m", "f"),
        ("fd_002", "father–daughter", "m", "f"),
        ("ms_001", "mother–son", "f", "m"),
    ]
    figures = statistics(found)
    assert (figures["trios"], figures["parent_child_pairs"], figures["incomplete_nuclear_families"]) == (0, 3, 3)
    code, _, said = here("families", "trios", tmp_path, "--out", tmp_path / "list.csv")
    assert code == 3
    assert "3 pairs of one parent and a child, but no trio" in said


def test_kinfacew_defects(tmp_path: Path) -> None:
    touch(tmp_path / "father-son", "fs_001_1.jpg", "fs_002_2.jpg", "fs_002_2.png", "fs_003_1.jpg", "notes.txt")
    touch(tmp_path / "father-son", "fd_001_1.jpg")
    (tmp_path / "father-son" / "fs_003_1.jpg").write_bytes(b"")
    (tmp_path / "father-son" / "fs_003_2.jpg").mkdir()
    found = read_families(tmp_path)[1]
    assert kinds(found) == {
        "empty file": 1,
        "picture missing": 2,
        "picture stands twice": 1,
        "role out of place": 1,
        "unknown file": 2,
    }
    assert not pairs(found)


def test_both_sets_of_kinfacew_in_one_folder_are_kept_apart(tmp_path: Path) -> None:
    for each in ("I", "II"):
        touch(tmp_path / each / "images" / "mother-dau", "md_001_1.jpg", "md_001_2.jpg")
    families = [family.name for family in read_families(tmp_path)[1].families]
    assert families == ["I/images md_001", "II/images md_001"]


def test_pairs_of_a_family_that_lists_two_fathers_are_the_mothers(tmp_path: Path) -> None:
    members = [Member(*each) for each in (("A", "father"), ("B", "father"), ("C", "mother"), ("D", "child"))]
    people = {name: Person(name, None, (tmp_path / name,)) for name in "ABCD"}
    house = NuclearFamily("1", tuple(members))
    found = KinshipSet(tmp_path, (Family("F", people, (house, house)),))
    assert [(pair.relation, pair.parent.name) for pair in pairs(found)] == [("mother–child", "C")]
