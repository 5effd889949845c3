"""What a set keeps, its figures as pictures, and the angles of a prepared one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from planted_families import plant
from plugin_site import here

from kinblend.errors import InputError
from kinblend.families.demographics import summary
from kinblend.families.figures import demographic_figures, set_figures, write_figures
from kinblend.families.left import only_valid_trios
from kinblend.families.model import Family, KinshipSet, Member, NuclearFamily, Person
from kinblend.families.poses import COLUMNS, describe_angles, read_angles
from kinblend.families.report import write_demographics
from kinblend.families.stats import statistics
from kinblend.storage.tables import write_table


def family(name: str, **pictures: int) -> Family:
    """A father F, a mother M and children, with so many pictures each."""
    people = {one: Person(one, None, tuple(Path(f"{name}{one}{n}") for n in range(n))) for one, n in pictures.items()}
    roles = {"F": "father", "M": "mother"}
    members = tuple(Member(one, roles.get(one, "child")) for one in people)  # type: ignore[arg-type]
    return Family(name, people, (NuclearFamily("1", members),))


KEPT = KinshipSet(
    Path(),
    (
        family("Small", F=1, M=2, A=3),
        family("Large", F=4, M=2, A=1, B=5, C=0),
        family("Half", F=9, A=7),
        family("Bare", F=3, M=0, A=1),
    ),
)


def test_what_is_left_after_each_rule() -> None:
    rows = statistics(KEPT)["left"]
    assert [(row["people"], row["images"]) for row in rows] == [(13, 38), (11, 22), (9, 22), (7, 18)]
    assert [(row["less_people"], row["less_images"]) for row in rows] == [(0, 0), (2, 16), (2, 0), (2, 4)]


def test_only_valid_trios_keep_their_pictures() -> None:
    kept = only_valid_trios(KEPT)
    pictured = {(f.name, p.name): len(p.pictures) for f in kept.families for p in f.people.values() if p.pictures}
    assert pictured == {
        ("Small", "F"): 1,
        ("Small", "M"): 2,
        ("Small", "A"): 3,
        ("Large", "F"): 4,
        ("Large", "M"): 2,
        ("Large", "A"): 1,
        ("Large", "B"): 5,
    }
    assert statistics(kept)["trios_with_images"] == statistics(KEPT)["trios_with_images"]


def test_means_are_of_valid_trios_and_families_have_names() -> None:
    figures = statistics(KEPT)
    in_trios = figures["images_per_role_in_trios"]
    assert [in_trios[role]["mean"] for role in ("father", "mother", "child")] == [2.5, 2, 3]
    assert figures["images_per_role"]["father"]["mean"] == 4.25
    assert figures["trios_by_family"][0] == {"name": "Large", "trios": 3, "with_images": 2}
    assert [row["name"] for row in figures["trios_by_family"]] == ["Large", "Small", "Bare", "Half"]
    assert (figures["mean_family_size"], figures["mean_trios_per_family"]) == (3.25, 1.25)
    assert figures["most_pictured_families"][0] == {"name": "Half", "images": 16, "percent": 42.1}
    assert figures["most_pictured_people"][0] == {"name": "Half/F", "images": 9, "percent": 23.7}


def test_an_empty_set_has_figures_too(tmp_path: Path) -> None:
    figures = statistics(KinshipSet(tmp_path, ()))
    assert (figures["mean_family_size"], figures["trios_by_family"]) == (None, [])
    assert write_figures(tmp_path, set_figures(figures))


def test_figures_are_written_twice_alike_as_png_and_svg(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    plant(tmp_path / "set", 1, 3, frozenset())
    words = ("families", "stats", tmp_path / "set", "--out", tmp_path / "report.html", "--figures")
    for name in ("a", "b"):
        code, _, said = here(*words, tmp_path / name)
        assert code == 0, said
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Images per father, mother and child in valid trios" in page
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert {Path(name).stem for name in names} == {
        "family-sizes",
        "images-per-role",
        "largest-families",
        "left",
        "most-pictured-families",
        "most-pictured-people",
        "trios-per-family",
    }
    assert {Path(name).suffix for name in names} == {".png", ".svg"}
    for name in names:
        data = (tmp_path / "a" / name).read_bytes()
        assert data == (tmp_path / "b" / name).read_bytes()
        assert len(data) > 3000
    with Image.open(tmp_path / "a" / "left.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 20


def test_a_file_in_the_place_of_the_folder_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("mine")
    plant(tmp_path, 1, 1, frozenset())
    assert here("families", "stats", tmp_path, "--figures", tmp_path / "figures")[0] != 0
    assert (tmp_path / "figures").read_text() == "mine"


ROWS = [
    {"age": 31.5, "gender": "f", "race": "asian", "listed_gender": "f"},
    {"age": 34.0, "gender": "m", "race": "white"},
    {"age": 8.0, "gender": "f"},
    {"age": None, "gender": "m", "race": "white"},
    {"reason": "0 faces were found"},
]


def test_demographics_are_crossed(tmp_path: Path) -> None:
    figures = summary(ROWS)
    assert (figures["ages"], figures["races"]) == ({"00–09": 1, "30–39": 2}, {"asian": 1, "white": 2})
    assert figures["crossed"] == {
        "age by gender": {"00–09": {"f": 1}, "30–39": {"f": 1, "m": 1}},
        "age by race": {"30–39": {"asian": 1, "white": 1}},
        "race by gender": {"asian": {"f": 1}, "white": {"m": 2}},
    }
    write_demographics(tmp_path / "page.html", "title", figures)
    assert "<h2>Race by gender</h2>" in (tmp_path / "page.html").read_text("utf-8")
    names = {path.stem for path in write_figures(tmp_path, demographic_figures(figures))}
    assert names == {"ages", "genders", "races", "age-by-gender", "age-by-race", "race-by-gender"}


def index(folder: Path, count: int = 40, columns: tuple[str, ...] = COLUMNS) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(2)
    angles = {name: draw.normal(3, 10, count) for name in columns}
    rows = [{name: float(values[row]) for name, values in angles.items()} for row in range(count)]
    write_table(folder / "index.csv", dict.fromkeys(columns, float), rows)
    return angles


def test_angles_are_described_and_drawn(tmp_path: Path) -> None:
    angles = index(tmp_path)
    code, out, said = here("families", "poses", tmp_path, "--json", "--figures", tmp_path / "figures")
    assert code == 0, said
    found = json.loads(out)
    assert list(found["yaw"]) == sorted(["count", "mean", "std", "min", "25%", "50%", "75%", "max"])
    assert found["yaw"]["count"] == 40
    assert found["pitch"]["std"] == pytest.approx(angles["pitch"].std(ddof=1), abs=0.01)
    assert found["roll"]["25%"] == pytest.approx(np.quantile(angles["roll"], 0.25), abs=0.01)
    assert found["flat_yaw"]["apart"] == pytest.approx(np.abs(angles["flat_yaw"] - angles["yaw"]).mean(), abs=0.01)
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        f"{name}.{kind}" for name in ("pitch", "roll", "yaw") for kind in ("png", "svg")
    ]


def test_one_picture_has_angles_and_no_correlation() -> None:
    described = describe_angles({name: [5.0] for name in COLUMNS})
    assert described["yaw"]["std"] == 0
    assert "correlation" not in described["flat_yaw"]


def test_folders_without_angles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no index\.csv"):
        read_angles(tmp_path)
    index(tmp_path, columns=COLUMNS[:4])
    with pytest.raises(InputError, match="lacks flat_pitch, flat_roll"):
        read_angles(tmp_path)
    index(tmp_path, count=0)
    with pytest.raises(InputError, match="lists no picture"):
        read_angles(tmp_path)
    (tmp_path / "index.csv").write_text(f"{','.join(COLUMNS)}\n1,2,3,4,5,\n")
    with pytest.raises(InputError, match="no number"):
        read_angles(tmp_path)
