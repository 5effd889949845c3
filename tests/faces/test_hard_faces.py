"""Faces as they come: put right, refused or warned of by name, in every way a photograph comes in."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hard_faces import CLOSED, HANDS, HIDDEN, PEOPLE, TONGUES, covered, cut, expression, landmarks, photograph, turned
from PIL import Image
from plugin_site import here

from kinblend.errors import FaceCutOffError, FaceError, NoFaceError, UsageError
from kinblend.faces import FaceQuality, align, cut_face, find_face, measure_quality
from kinblend.faces.quality import SMALL
from kinblend.faces.view import roll_of, view

pytestmark = pytest.mark.skipif(
    find_spec("openpeople") is None, reason="the example people (openpeople) are not installed"
)


def apart(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of the faces in two crops, in levels of grey."""
    box = (64, 80, 192, 224)
    pixels = (np.asarray(image.crop(box).convert("L"), dtype=float) for image in (one, other))
    return float(np.abs(np.subtract(*pixels)).mean())


# --- turned


@pytest.mark.parametrize(
    ("degrees", "person", "fill"),
    [
        (angle, PEOPLE[place % len(PEOPLE)], ("grey", "black", "white")[place % 3])
        for place, angle in enumerate((30, 50, 77, 90, 112, 135, 160, 180, 201, 225, 248, 270, 303, 330))
    ],
)
def test_a_face_turned_by_any_angle_is_cut_out_upright(degrees: float, person: str, fill: str) -> None:
    kind = "amateur_selfie" if person in ("P002", "P006", "P010") else "studio_portrait"
    upright = align(photograph(person, kind), landmarks(person, kind), 256)
    found = cut_face(turned(photograph(person, kind), degrees, fill), 256)
    assert apart(found.face.image, upright) < 12
    assert abs((found.quality.roll + degrees + 180) % 360 - 180) < 15


def test_two_people_on_their_side_are_counted_from_the_left_as_the_picture_lies() -> None:
    pair = Image.new("RGB", (1280, 640), "grey")
    for place, person in enumerate(("P001", "P005")):
        pair.paste(photograph(person), (640 * place, 0))
    on_side = turned(pair, 90)
    with pytest.raises(FaceError, match="2 faces"):
        find_face(on_side)
    found = [cut_face(on_side, 256, face=number).face.image for number in (1, 2)]
    people = [align(photograph(person), landmarks(person), 256) for person in ("P001", "P005")]
    matched = [min((0, 1), key=lambda who: apart(crop, people[who])) for crop in found]
    assert sorted(matched) == [0, 1]


@pytest.mark.parametrize("degrees", [0, 31, 90, 145, 180, 277])
def test_points_of_a_turned_view_come_back(degrees: float) -> None:
    draw = np.random.default_rng(0)
    image = Image.new("RGB", (300, 200))
    points = draw.uniform(20, 180, (9, 2))
    for side in (None, 100):
        seen = view(image, degrees, (10, 10, 250, 190), side)
        np.testing.assert_allclose(seen.back(seen.into(points)), points, atol=1e-9)
    dot = Image.new("RGB", (101, 101))
    dot.putpixel((70, 30), (255, 255, 255))
    seen = view(dot.resize((303, 303), Image.Resampling.NEAREST), degrees)
    [[x, y]] = seen.into(np.array([[211.0, 91.0]]))
    assert seen.image.getpixel((round(x), round(y)))[0] > 128


# --- cut off


@pytest.mark.parametrize(
    ("person", "side", "share"),  # all persons, sides and shares, but not every combination: `robustness.py faces`
    [
        (("P001", "P005", "P007", "P009")[(turn + place) % 4], side, share)
        for turn, share in enumerate((0.37, 0.45))
        for place, side in enumerate(("left", "right", "top", "bottom"))
    ],
)
def test_a_face_cut_by_the_edge_is_refused(person: str, side: str, share: float) -> None:
    with pytest.raises((FaceCutOffError, NoFaceError)) as refused:
        find_face(cut(person, side, share))
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("person", "side"), [("P001", "left"), ("P002", "right"), ("P006", "left"), ("P007", "right"), ("P009", "left")]
)
def test_that_it_is_cut_off_is_said(person: str, side: str) -> None:
    with pytest.raises(
        FaceCutOffError, match=r"anna\.jpg is cut off by the picture's edge: \d+ of its 68 landmarks and \d+%"
    ):
        find_face(cut(person, side, 0.25), name="anna.jpg")


@pytest.mark.parametrize(("side", "share"), [("top", -0.2), ("bottom", 0.1), ("left", 0.0)])
def test_a_head_cut_a_little_is_warned_of(side: str, share: float) -> None:
    assert any(
        "beyond the picture's edge" in line for line in cut_face(cut("P002", side, share), 256).quality.warnings
    )


# --- covered, tongues, eyes


COVERS = [
    *((kind, colour) for kind in ("mask", "fingers", "cup") for colour in ("#203040", "#a8cfe5", "#a06a50")),
    ("sunglasses", "#101418"),
    ("fringe", "#2a1c14"),
]


@pytest.mark.parametrize(("kind", "colour"), COVERS)
@pytest.mark.parametrize("person", ["P001", "P002", "P007", "P009"])
def test_what_hides_a_face_is_named(kind: str, person: str, colour: str) -> None:
    quality = cut_face(covered(person, kind, colour), 256).quality
    assert HIDDEN[kind] <= set(quality.covered)
    [line] = [line for line in quality.warnings if "covers" in line]
    assert all(part in line for part in HIDDEN[kind])


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("kind", ["studio_portrait", "amateur_selfie"])
def test_ordinary_photographs_are_not_warned_of(person: str, kind: str) -> None:
    assert cut_face(photograph(person, kind, 1000), 256).quality.warnings == ()


@pytest.mark.parametrize("person", list(HANDS))
def test_a_hand_before_the_mouth_is_named(person: str) -> None:
    assert "mouth" in cut_face(expression(person, HANDS[person]), 256).quality.covered


@pytest.mark.parametrize("person", list(TONGUES))
def test_a_tongue_is_named(person: str) -> None:
    quality = cut_face(expression(person, TONGUES[person]), 256).quality
    assert any("tongue" in line for line in quality.warnings)


@pytest.mark.parametrize("person", list(CLOSED))
def test_closed_eyes_are_named(person: str) -> None:
    quality = cut_face(expression(person, CLOSED[person]), 256).quality
    assert any("eyes are closed" in line for line in quality.warnings)


# --- dark, blurred, small


def test_a_dark_face_is_said_to_be_dark_and_a_dark_skin_is_not() -> None:
    image = photograph("P007")
    quality = measure_quality(image.point(lambda value: value // 8), landmarks("P007"))
    assert any("dark" in line for line in quality.warnings)


def test_a_blurred_face_is_said_to_be_blurred() -> None:
    small = photograph("P001").resize((40, 40))
    blurred = small.resize(photograph("P001").size, Image.Resampling.BICUBIC)
    quality = measure_quality(blurred, landmarks("P001"))
    assert any("blurred" in line for line in quality.warnings)


@pytest.mark.parametrize("side", [110, 150, 200])
def test_a_small_face_is_enlarged_on_request_and_by_advice(side: int) -> None:
    image = photograph("P009").resize((side, side))
    small, large = cut_face(image, 256), cut_face(image, 256, upscaler="bicubic")
    assert small.quality.size < SMALL and any("upscaler" in line for line in small.quality.warnings)
    assert large.quality.enlarged > 1 and large.quality.size == small.quality.size
    assert large.face.image.tobytes() != small.face.image.tobytes()
    assert apart(large.face.image, small.face.image) < 8


def test_a_large_face_is_not_enlarged() -> None:
    image = photograph("P009")
    assert cut_face(image, 256, upscaler="bicubic").face.image.tobytes() == cut_face(image, 256).face.image.tobytes()


# --- the record


def test_the_quality_is_that_of_the_photograph_whatever_is_cut_out() -> None:
    cut_out = cut_face(photograph("P004"), 512)
    assert cut_out.quality == measure_quality(photograph("P004"), cut_out.found.landmarks)


def test_the_record_is_json_and_its_figures_are_those_of_the_head() -> None:
    quality = measure_quality(turned(photograph("P001"), 20), find_face(turned(photograph("P001"), 20)).landmarks)
    record = json.loads(json.dumps(quality.record()))
    assert abs(record["roll"] + 20) < 5 and abs(record["yaw"]) < 10
    assert set(record["occlusion"]) == {"eyes", "nose", "mouth", "chin"}
    assert record["warnings"] == list(quality.warnings)


def test_every_warning_says_what_to_do() -> None:
    worst = FaceQuality(30, 30, 0, 100, 0.1, 0.05, 3, 0.5, {"eyes": 0.9, "mouth": 0.8}, 0.9, 0.9, 0.5)
    also = FaceQuality(0, -30, 0, 300, 0.1, 0.5, mouth_open=0.4)
    lines = [*worst.warnings, *also.warnings]
    assert len(lines) == 11 and all(": use " in line for line in lines)
    assert "eyes and mouth" in lines[0] and "90% sure" in lines[0]


def test_roll_is_told_by_five_points_and_by_all() -> None:
    points = landmarks("P004")
    five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    assert abs(roll_of(five) - roll_of(points)) < 1


# --- alike wherever a photograph comes in


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("hard")
    pictures = {
        "other": photograph("P002"),
        "turned": turned(photograph("P007"), 90),
        "upright": photograph("P007"),
        "masked": covered("P007", "mask", "#a8cfe5"),
        "cut": cut("P007", "left", 0.3),
        "small": photograph("P001").resize((150, 150)),
    }
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in pictures}


def test_a_run_keeps_quality_and_warnings_in_its_manifest(files: dict[str, Path]) -> None:
    from kinblend import ChildRequest, Engine

    engine = Engine("morphable")
    result = engine.run(files["masked"], files["other"], blender="average")
    assert result.manifest["face_quality"]["father"]["occlusion"]["mouth"] > 0.5
    assert result.manifest["face_quality"]["mother"]["warnings"] == []
    assert [line for line in result.warnings if line.startswith("the father's picture: something covers")]
    assert engine.parent(files["masked"]).warnings == result.father.warnings
    with pytest.raises(FaceCutOffError):
        engine.run(files["cut"], files["other"])
    straight, turned_ = (engine.parent(files[name]) for name in ("upright", "turned"))
    assert apart(straight.crop.resize((256, 256)), turned_.crop.resize((256, 256))) < 12
    small = engine.run(files["small"], files["other"], ChildRequest(upscaler="bicubic"))
    assert small.manifest["face_quality"]["father"]["enlarged"] > 1 and not small.warnings
    assert small.manifest["request"]["upscaler"] == "bicubic"
    with pytest.raises(UsageError, match="there are"):
        engine.run(files["small"], files["other"], upscaler="nobody")


def test_align_shows_and_draws_the_record(files: dict[str, Path], tmp_path: Path) -> None:
    out, draw = tmp_path / "a.jpg", tmp_path / "d.png"
    code, said, told = here("align", files["masked"], "--out", out, "--draw", draw, "--json")
    assert code == 0
    assert json.loads(said)["face_quality"]["occlusion"]["mouth"] > 0.5
    assert "note:" in told and "mouth" in told
    drawn, plain = Image.open(draw).convert("RGB"), Image.open(files["masked"]).convert("RGB")
    assert drawn.width == plain.width and drawn.height > plain.height
    x, y = (int(value) for value in landmarks("P007")[30])
    assert np.asarray(drawn)[y - 8 : y + 8, x - 8 : x + 8, 1].max() == 255
    code, _, told = here("align", files["cut"], "--out", tmp_path / "b.png")
    assert code == 3 and "cut off" in told and not (tmp_path / "b.png").exists()


def test_encode_warns_enlarges_and_refuses(files: dict[str, Path], tmp_path: Path) -> None:
    words = ("encode", files["small"], "--backbone", "morphable", "--out", tmp_path / "a.safetensors")
    code, said, told = here(*words, "--json")
    assert code == 0 and json.loads(said)["face_quality"]["size"] < SMALL and "upscaler" in told
    code, said, told = here(*words, "--json", "--upscale", "bicubic")
    assert code == 0 and json.loads(said)["face_quality"]["enlarged"] > 1 and "upscaler" not in told
    assert here(*words, "--upscale", "nobody")[0] == 2
    assert here(*words, "--upscale", "bicubic", "--aligned")[0] == 2
    assert here("encode", files["cut"], "--backbone", "morphable", "--out", tmp_path / "b.safetensors")[0] == 3


def test_prepare_turns_refuses_and_warns(files: dict[str, Path], tmp_path: Path) -> None:
    from kinblend.families.prepare import PrepareOptions, prepare
    from kinblend.families.readers import read_families

    folder = tmp_path / "pictures"
    folder.mkdir()
    people = {"father": "turned", "mother": "masked", "child": "upright"}
    for who, name in people.items():
        (folder / f"{who}.png").write_bytes(files[name].read_bytes())
    (folder / "cut.png").write_bytes(files["cut"].read_bytes())
    (folder / "trios.csv").write_text(
        "father,mother,child\nfather.png,mother.png,child.png\ncut.png,mother.png,child.png\n"
    )
    _, found = read_families(folder / "trios.csv", None)
    done = prepare(found, tmp_path / "out", PrepareOptions(), tmp_path / "cache")
    assert [(one.picture.name, one.kind) for one in done.rejected] == [("cut.png", "cut off")]
    with (tmp_path / "out" / "index.csv").open(newline="") as file:
        kept = {Path(row["picture"]).name: row for row in csv.DictReader(file)}
    assert abs(abs(float(kept["father.png"]["roll"])) - 90) < 15
    assert "mouth" in kept["mother.png"]["covered"] and "covers" in kept["mother.png"]["warnings"]
    crops = [Image.open(tmp_path / "out" / "crops" / "256" / f"{who}.png.png") for who in ("father", "child")]
    assert apart(*crops) < 12
