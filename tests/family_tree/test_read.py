"""The file of a family tree: what is read, and what is refused before any model is loaded."""

import json
from pathlib import Path

import pytest

from kinblend.errors import InputError, OutputError
from kinblend.family_tree import FamilyTree, read_tree, tree_of
from kinblend.files import check_target, inputs_kept

COUPLE = """
[[person]]
name = "Anna"
photo = "anna.jpg"

[[person]]
name = "Otto"
photo = "sub/otto.jpg"
"""
CHILD = '[[person]]\nname = "Tim"\nfather = "Otto"\nmother = "Anna"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With two files in the place of photographs, and one outside."""
    inside = tmp_path / "tree"
    (inside / "sub").mkdir(parents=True)
    for path in (inside / "anna.jpg", inside / "sub" / "otto.jpg", tmp_path / "outside.jpg"):
        path.write_bytes(b"no picture")
    (inside / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    (inside / "loop.jpg").symlink_to("loop.jpg")
    monkeypatch.chdir(inside)
    return inside


def read(text: str, name: str = "family.toml") -> FamilyTree:
    Path(name).write_text(text, "utf-8")
    return read_tree(name)


def test_people_are_read_in_order_with_who_belongs_to_whom(folder: Path) -> None:
    tree = read(
        CHILD + COUPLE + '[[person]]\nname = "Ida"\nfather = "Otto"\nmother = "Anna"\nage = 3\nsex = "female"\n'
    )
    assert list(tree.people) == ["Tim", "Anna", "Otto", "Ida"]
    assert tree.order == ("Anna", "Otto", "Tim", "Ida")
    [couple] = tree.couples
    assert (couple.father, couple.mother, couple.children) == ("Otto", "Anna", ("Tim", "Ida"))
    assert (tree.parents, tree.birth_number("Ida")) == ({"Anna", "Otto"}, 1)
    assert [tree.sex(name) for name in tree.people] == [None, "girl", "boy", "girl"]
    assert tree.photos == {"Anna": Path("anna.jpg"), "Otto": Path("sub/otto.jpg")}


def test_json_says_the_same(folder: Path) -> None:
    of_toml = read(f'title = "Us"\nblender = "mask"\n{COUPLE}{CHILD}')
    person = [{"name": "Anna", "photo": "anna.jpg"}, {"name": "Otto", "photo": "sub/otto.jpg"}]
    person += [{"name": "Tim", "father": "Otto", "mother": "Anna"}]
    of_json = read(json.dumps({"title": "Us", "blender": "mask", "person": person}), "family.json")
    assert of_json == of_toml


def test_names_are_one_name_however_they_are_typed(folder: Path) -> None:
    text = '[[person]]\nname = " Zoë  B. "\nphoto = "anna.jpg"\n[[person]]\nname = "O"\nphoto = "anna.jpg"\n'
    tree = read(text + '[[person]]\nname = "T"\nfather = "O"\nmother = "Zoe\\u0308 B."\n')
    assert tree.couples[0].mother == "Zoë B."
    latin = text.encode("latin-1")
    Path("latin.toml").write_bytes(latin)
    assert "Zoë B." in read_tree("latin.toml").people and "Windows-1252" in read_tree("latin.toml").warnings[0]


FAULTS = {
    "syntax": ("[[person]\n", r"not valid TOML: expected .* line 1"),
    "nobody": ('title = "x"', "write 1 to 100 people"),
    "one table": ('[person]\nname = "A"', "write 1 to 100 people, each below a line"),
    "too many": ('[[person]]\nname = "A"\n' * 101, "write 1 to 100 people"),
    "a field of the file": (f'titel = "x"\n{COUPLE}', "titel: there is no such field; did you mean title"),
    "title": (f'title = "a\\nb"\n{COUPLE}', "title is not one line"),
    "long title": (f'title = "{"a" * 121}"\n{COUPLE}', "at most 120 letters"),
    "no name": (COUPLE + '[[person]]\nphoto = "anna.jpg"', "line 9: name: it is missing"),
    "empty name": (COUPLE + '[[person]]\nname = " "', "a name is one line"),
    "long name": (COUPLE + f'[[person]]\nname = "{"a" * 81}"', "1 to 80 letters"),
    "two of a name": (COUPLE + '[[person]]\nname = "Anna"\nphoto = "anna.jpg"', "line 9, 'Anna': two people"),
    "a field": (COUPLE + CHILD + "ages = 3", "line 9, 'Tim': ages: there is no such field; did you mean age"),
    "age": (COUPLE + CHILD + 'age = "old"', "'Tim': age = 'old': give a number"),
    "negative age": (COUPLE + CHILD + "age = -1", "use at least 0"),
    "no number": (COUPLE + CHILD + "age = nan", "use at most 120"),
    "age of a prediction": (COUPLE + CHILD + "age = 90", "at most 80"),
    "sex": (COUPLE + CHILD + 'sex = "x"', "'Tim': sex = 'x': use 'female', 'male'"),
    "edit": (COUPLE + CHILD + "edits = {smile = []}", "edits.smile"),
    "seed": (COUPLE + CHILD + "seed = -1", "seed = -1: use at least 0"),
    "unknown parent": (COUPLE + CHILD.replace("Anna", "Ana"), "mother = 'Ana': there is nobody .* mean 'Anna'"),
    "one parent": (COUPLE + '[[person]]\nname = "Tim"\nfather = "Otto"', "there is a father, Otto, and no mother"),
    "one as both": (COUPLE + CHILD.replace("Anna", "Otto"), "'Otto': this person is the father of Tim and the"),
    "neither": (COUPLE + '[[person]]\nname = "Tim"', "'Tim': there is no photo and there are no parents; give"),
    "a parent without": (CHILD + COUPLE.replace('photo = "anna.jpg"', ""), r"no parents \(a parent of Tim\)"),
    "own child": (COUPLE + CHILD.replace("Otto", "Tim"), "'Tim' is among their own ancestors: Tim is a child of Tim"),
    "a circle": (
        COUPLE + CHILD.replace("Otto", "Ben") + CHILD.replace("Tim", "Ben").replace("Otto", "Tim"),
        "Tim is a child of Ben is a child of Tim",
    ),
    "both roles": (
        COUPLE + CHILD + '[[person]]\nname = "Ida"\nfather = "Anna"\nmother = "Otto"\n',
        "'Anna': this person is the father of Ida and the mother of Tim",
    ),
    "sex of a parent": (COUPLE.replace('"Anna"', '"Anna"\nsex = "male"') + CHILD, "sex = 'male', but Tim names this"),
    "photo and blender": (COUPLE + 'blender = "mask"', "blender is of predicted people"),
    "face and no photo": (COUPLE + CHILD + "face = 1", "there is no photo"),
    "missing photo": (COUPLE.replace("anna.jpg", "no.jpg"), "photo = 'no.jpg': no.jpg does not exist"),
    "a folder": (COUPLE.replace("anna.jpg", "sub"), "sub is a folder"),
    "no photo name": (COUPLE.replace("anna.jpg", ""), "is a folder"),
    "above": (COUPLE.replace("anna.jpg", "../outside.jpg"), "lies outside of the folder"),
    "absolute": (COUPLE.replace("anna.jpg", "/etc/hostname"), "lies outside of the folder"),
    "a link out": (COUPLE.replace("anna.jpg", "link.jpg"), "lies outside of the folder"),
    "a link to itself": (COUPLE.replace("anna.jpg", "loop.jpg"), "loop.jpg"),
    "a NUL": (COUPLE.replace("anna.jpg", "a\\u0000b"), "can't be read"),
    "large": (f"# {'a' * 2**20}\n{COUPLE}", "which no family tree has"),
    "deep": (f"a = {'[' * 5000}", "nested deeper"),
}


@pytest.mark.parametrize("why", FAULTS)
def test_what_is_wrong_is_said_in_one_line_with_the_place(why: str, folder: Path) -> None:
    text, said = FAULTS[why]
    with pytest.raises(InputError, match=said) as error:
        read(text)
    assert str(error.value).startswith("family.toml") and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1: this is not valid JSON"),
        ("[]", "a list of people"),
        ("[" * 10**5, "nested deeper"),
        ('{"person": [3]}', "write 1 to 100"),
        ('{"person": [{"name": "A", "photo": "no.jpg"}]}', "family.json, person 1, 'A': photo"),
        ('{"person": [{"name": "A", "photo": "anna.jpg", "age": Infinity}]}', "use at most 120"),
    ],
    ids=["syntax", "list", "deep", "number", "photo", "infinite"],
)
def test_so_it_is_of_json(text: str, said: str, folder: Path) -> None:
    with pytest.raises(InputError, match=said):
        read(text, "family.json")


def test_other_files_are_none(folder: Path) -> None:
    for name in ("family.csv", "no.toml", "sub"):
        with pytest.raises(InputError, match=name):
            read_tree(name)
    Path("binary.toml").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0")
    with pytest.raises(InputError, match=r"binary\.toml is a PNG"):
        read_tree("binary.toml")


def test_a_manifest_stands_for_its_latent(folder: Path) -> None:
    known = {"schema": 1, "request": {}, "inputs": {"father": {}, "mother": {}}, "seeds": [0]}
    Path("anna.json").write_text(json.dumps(known))
    with pytest.raises(InputError, match="whose latent is gone"):
        read(COUPLE.replace("anna.jpg", "anna.json"))
    Path("anna.safetensors").touch()
    assert read(COUPLE.replace("anna.jpg", "anna.json")).photos["Anna"] == Path("anna.safetensors")


def test_from_python_photographs_may_lie_anywhere(folder: Path) -> None:
    outside = folder.parent / "outside.jpg"
    tree = tree_of({"person": [{"name": "A", "photo": str(outside)}]})
    assert tree.photos == {"A": outside}


def test_photographs_are_inputs_that_nobody_writes_over(folder: Path) -> None:
    with inputs_kept():
        read(COUPLE)
        for path in ("anna.jpg", "sub/otto.jpg", "family.toml"):
            with pytest.raises(OutputError):
                check_target(path)
