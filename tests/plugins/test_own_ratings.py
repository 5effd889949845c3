"""Directions from a table of one's own: its columns are told apart, and none is left out in silence."""

import csv
import json
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from plugin_site import here
from safetensors.torch import load_file, save_file

from kinblend import Context, LatentSpace
from kinblend.backbone import make_plugin
from kinblend.errors import InputError
from kinblend.tensor_files import safe_open
from kinblend_plugins.interfacegan.training.own_ratings import open_pictures, read_own
from kinblend_plugins.interfacegan.training.rated_attributes import Attribute, AttributeSpec
from kinblend_plugins.interfacegan.training.rated_directions import fit_directions
from kinblend_plugins.interfacegan.training.support_vectors import boundary, cross_validated

SPACE = LatentSpace("toy", 3, 16, "0" * 64)
FACES = ("a/one.png", "b/two.png", "b/three.png", "b/one.png")


def rows(*cells: tuple) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in cells)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for name in FACES:
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (len(name), 0, 0)).save(path)
    return tmp_path / "faces"


def read(faces: Path, text: str, *columns: str, file_column: str | None = None) -> tuple:
    table = faces.parent / "table.csv"
    table.write_text(text)
    told: list[str] = []
    return read_own(faces, table, columns, file_column, told.append), told


TABLE = rows(
    ("who", "glasses", "roundness", "gender", "note", "same", "age", "picture"),
    ("x", "yes", 1.5, 0, "likes tea", 3, 30, "a/one.png"),
    ("y", "no", 2.5, 1, "none", 3, 41, "two.png"),
    ("z", "no", "3,5", 1, "hat", 3, 8, "three"),
).replace("3,5", '"3,5"')


def test_numbers_are_ratings_two_values_a_label_and_the_rest_is_named(faces: Path) -> None:
    found, told = read(faces, TABLE)
    assert found.files == ["a/one.png", "b/two.png", "b/three.png"]
    assert found.ratings == {
        "glasses": [1.0, 0.0, 0.0],
        "roundness": [1.5, 2.5, 3.5],
        "gender": [0.0, 1.0, 1.0],
        "age": [30.0, 41.0, 8.0],
    }
    assert found.meanings is not None
    assert found.meanings["glasses"].words == ("no", "yes")
    assert found.meanings["gender"].words == ("0", "1")
    assert found.meanings["age"].unit == "years"
    assert told[:3] == [
        "left out: who, it has 3 different texts",
        "left out: note, it has 3 different texts",
        "left out: same, it is the same for all",
    ]
    names = [attribute.name for attribute in found.attributes({"yaw": [0.0] * 3, "width": [1.0] * 3})]
    assert names == ["yaw", "glasses", "roundness", "gender", "age"]


def test_columns_that_are_asked_for(faces: Path) -> None:
    found, told = read(faces, TABLE, "roundness")
    assert list(found.ratings) == ["roundness"]
    assert "left out: glasses, which was not asked for" in told
    for column, why in (("who", "3 different texts"), ("same", "the same for all")):
        with pytest.raises(InputError, match=f"'{column}' is no rating and no label: .*{why}"):
            read(faces, TABLE, column)
    with pytest.raises(InputError, match="has no column 'beauty'; it has: who, glasses"):
        read(faces, TABLE, "beauty")


def test_what_a_picture_is_called(faces: Path) -> None:
    """One name for two pictures names neither; the column may be named; rows of others are counted."""
    text = rows(("file", "other", "age"), ("one.png", "two", 3), ("three.png", "three", 4), ("none.png", "nine", 5))
    found, told = read(faces, text)
    assert (found.files, found.ratings["age"]) == (["b/two.png", "b/three.png"], [0.0, 1.0])
    assert told[0].startswith("1 of 3 rows name no picture")
    found, _ = read(faces, text.replace("none.png", "b/one.png"), "age", file_column="file")
    assert found.files == ["b/three.png", "b/one.png"]
    for bad, said in (
        (rows(("file", "age"), ("q.png", 3)), "names pictures of"),
        (rows(("file", "age"), ("two.png", 3), ("b/two.png", 4)), "several rows for b/two.png"),
        (rows(("file", "note"), ("two.png", "x"), ("three.png", "x")), "no column of numbers"),
    ):
        with pytest.raises(InputError, match=said):
            read(faces, bad)
    with pytest.raises(InputError, match="no column 'nothing'"):
        read(faces, text, file_column="nothing")


def test_rows_that_lack_a_rating_are_counted(faces: Path) -> None:
    text = rows(("file", "age", "fat"), ("a/one.png", 3, 1), ("two.png", "", 2), ("three.png", 5, 3))
    found, told = read(faces, text)
    assert found.files == ["a/one.png", "b/three.png"]
    assert "1 pictures are left out: not all of their ratings are known" in told
    assert len(read(faces, text, "fat")[0].files) == 3
    scarce = rows(("file", "seen", "fat"), ("a/one.png", 1, 1), ("two.png", "", 2), ("three.png", "", 3))
    scarce += rows(("b/one.png", "", 4))
    assert "left out: seen, it is the same for all" in read(faces, scarce)[1]


def test_a_column_that_hardly_anybody_filled_in_costs_no_pictures(faces: Path) -> None:
    for number in range(6):
        Image.new("RGB", (8, 8)).save(faces / f"{number}.png")
    cells = [
        (f"{number}.png", "seen" if number == 0 else "new" if number == 1 else "", number) for number in range(6)
    ]
    found, told = read(faces, rows(("file", "note", "fat"), *cells))
    assert (list(found.ratings), len(found.files)) == (["fat"], 6)
    assert "left out: note, it is filled in for 2 of 6 pictures alone" in told
    assert len(read(faces, rows(("file", "note", "fat"), *cells), "note")[0].files) == 2


def test_odd_columns(faces: Path) -> None:
    text = rows(("file", "a.b", "c", "d"), ("a/one.png", 1, "inf", 3), ("two.png", 2, 2, ""), ("three.png", 3, 1, 5))
    found, told = read(faces, text)
    assert list(found.ratings) == ["d"]
    assert any("left out: a.b, its name has one of" in line for line in told)
    assert any("left out: c, it has numbers that are not finite" in line for line in told)


def test_a_zip_whose_index_calls_its_pictures_otherwise(faces: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name in FACES:
            archive.write(faces / name, name)
        archive.writestr("index.csv", "file,number\na/one.png,71\nb/two.png,72\nb/three.png,73\n")
    text = rows(("stimulus", "warm"), (71, 5), (73, 6), (72, 9))
    (tmp_path / "t.csv").write_text(text)
    found = read_own(tmp_path / "faces.zip", tmp_path / "t.csv", (), None, lambda _: None)
    assert found.ratings == {"warm": [5.0, 6.0, 9.0]}
    assert found.files == ["a/one.png", "b/three.png", "b/two.png"]
    with open_pictures(tmp_path / "faces.zip") as picture:
        assert picture("a/one.png").size == (8, 8)


def test_pictures_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "t.csv").write_text("file,age\na,1\n")
    with pytest.raises(InputError, match="has no pictures"):
        read_own(tmp_path / "empty", tmp_path / "t.csv", (), None, lambda _: None)


@pytest.fixture(scope="module")
def planted() -> tuple[torch.Tensor, list[Attribute]]:
    """240 codes in which a label moves dimension 3, a rating dimension 5, and luck nothing."""
    draw = torch.Generator().manual_seed(3)
    codes = 0.5 * torch.randn(240, 3, 16, generator=draw)
    glasses = (torch.rand(240, generator=draw) < 0.2).float()
    rating = 50 + 10 * torch.randn(240, generator=draw)
    luck = (torch.rand(240, generator=draw) < 0.5).float()
    codes[:, 0, 3] += 3 * glasses
    codes[:, 1, 5] += (rating - 50) / 10
    label = AttributeSpec("glasses: yes, - is no", words=("no", "yes"))
    return codes, [
        Attribute("glasses", glasses.tolist(), label),
        Attribute("round", rating.tolist(), AttributeSpec("more round")),
        Attribute("luck", luck.tolist(), AttributeSpec("lucky", words=("0", "1"))),
    ]


def test_the_figures_of_a_boundary_are_its_own(planted: tuple[torch.Tensor, list[Attribute]]) -> None:
    codes, attributes = planted
    x = codes.flatten(1).double()
    x = x - x.mean(0)
    glasses, rating, luck = (cross_validated(x, attribute) for attribute in attributes)
    assert glasses["accuracy"] > glasses["chance"] + 0.1
    assert glasses["chance"] == pytest.approx(0.8, abs=0.05)
    assert rating["accuracy"] > 0.9
    assert rating["r2"] > 0.6
    assert luck["accuracy"] < luck["chance"] + 0.08
    assert luck["r2"] < 0.05
    normal = boundary(x, attributes[0]).view(3, 16)
    assert normal[0, 3] / normal.norm() > 0.9


def test_svm_prints_what_it_can_and_what_its_reader_can(planted: tuple[torch.Tensor, list[Attribute]]) -> None:
    codes, attributes = planted
    lines: list[str] = []
    found = fit_directions(codes, attributes, "svm", lines.append)
    assert all("of the boundary, cross-validated" in line for line in lines)
    for name, facts in found.about.items():
        assert {"accuracy", "chance", "r2", "reader_r2"} <= set(facts), name
    plain = fit_directions(codes, attributes, "ridge")
    assert found.about["glasses"]["reader_r2"] == plain.about["glasses"]["r2"]
    assert "chance" not in plain.about["glasses"]


def test_a_label_can_be_set_by_its_words(planted: tuple[torch.Tensor, list[Attribute]], tmp_path: Path) -> None:
    codes, attributes = planted
    found = fit_directions(codes, attributes[:1], "ridge")
    save_file(found.tensors, tmp_path / "directions.safetensors", found.metadata)
    editor = make_plugin(
        "editor", "interfacegan", Context(SPACE, {"directions.safetensors": tmp_path / "directions.safetensors"})
    )
    assert editor.targets()["glasses"] == ("no", "yes")
    without = next(i for i, value in enumerate(attributes[0].values) if value == 0)
    strength = editor.strength_for_target(codes[without], "glasses", "yes", "")
    assert strength > 0
    assert float(editor.edit(codes[without][None], {"glasses": strength})[0, 0, 3]) > float(codes[without, 0, 3]) + 1


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty pictures of the embedded generator, drawn along its direction of smiles, with a table about them."""
    import torch as pt

    from kinblend import Engine, Latent

    folder = tmp_path_factory.mktemp("own")
    (folder / "faces").mkdir()
    engine = Engine("morphable")
    editor, space = engine.editor(), engine.backbone.space
    draw = pt.Generator().manual_seed(1)
    lines = [("picture", "merry", "smiles", "note")]
    for number in range(50):
        strength = float(pt.randn(1, generator=draw))
        code = 0.5 * pt.randn(space.layers, space.dim, generator=draw)
        code = editor.edit(code[None], {"smile": 2 * strength})[0]
        [picture] = engine.backbone.render([Latent(code, space)], size=256)
        picture.convert("RGB").resize((128, 128)).save(folder / "faces" / f"{number}.png")
        lines.append((f"{number}.png", round(strength, 3), "yes" if strength > 0 else "no", f"n{number}"))
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return folder


def test_the_command(own_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.safetensors"
    words = ("--faces", own_folder / "faces", "--ratings", own_folder / "table.csv", "--method", "svm")
    code, printed, error = here("train", "directions", "rated", *words, "--backbone", "morphable", "--out", out)
    assert (code, printed.split()) == (0, [str(out)]), error
    assert "left out: note, it has 50 different texts" in error
    assert "smiles: a label, smiles: yes, - is no" in error
    assert "--set editor.directions.NAME=" in error
    with safe_open(str(out), framework="pt") as file:
        about = json.loads(file.metadata()["attributes"])
    assert {"merry", "smiles", "yaw", "mouth"} == set(about)
    assert about["smiles"]["accuracy"] > about["smiles"]["chance"]
    assert {"merry", "smiles"} <= set(load_file(out))
    with Image.open(tmp_path / "own" / "merry.png") as strip:
        assert strip.size == (5 * 224, 3 * 224)
        left, right = (strip.crop((x, 0, x + 224, 224)) for x in (0, 4 * 224))
        assert left.tobytes() != right.tobytes()
    assert sorted(path.name for path in (tmp_path / "own").iterdir()) == ["merry.png", "smiles.png"]
