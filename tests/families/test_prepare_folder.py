"""`prepare` only ever touches what it made."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinblend.errors import KinblendError, OutputError, UsageError
from kinblend.families.model import Family, KinshipSet, Person
from kinblend.families.prepare import PrepareOptions
from kinblend.families.prepare.folder import check_folder, made
from kinblend.families.prepare.outputs import Kept, Rejected, write_outputs
from kinblend.families.prepare.stages import Work
from kinblend.families.readers import read_families


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of pictures, and beside it what the stages made of each."""
    draw = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "set" / f"{name}.jpg")
        Image.new("RGB", (256, 256), "grey").save(tmp_path / f"{name}.256.png")
    return tmp_path


FIVE = [[1, 1], [3, 1], [2, 2], [1, 3], [3, 3]]  # eyes, nose, mouth


def pictures(source: Path, *names: str) -> KinshipSet:
    people = {name: Person(name, None, (source / "set" / f"{name}.jpg",)) for name in names}
    return KinshipSet(source / "set", (Family("F", people, ()),), ())


def work(source: Path, name: str) -> Work:
    """As the stages leave it: records, and the crop."""
    picture = source / "set" / f"{name}.jpg"
    pose = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "by": "dlib"}
    pose["face_quality"] = {"sharpness": 1.0, "occlusion": {}, "warnings": []}
    records = {
        "detect": {"points": FIVE, "side": 99.0, "true_size": 99.0},
        "align": pose,
        "upscale": {"factor": 1},
    }
    return Work("0" * 64, picture, records, {".256.png": source / f"{name}.256.png"})


def write(source: Path, out: Path, *names: str, rejected: tuple[str, ...] = ()) -> None:
    """What `prepare` does at its end, with these pictures."""
    found = pictures(source, *names, *rejected)
    check_folder(out, found)
    kept = [Kept(source / "set" / f"{name}.jpg", work(source, name)) for name in names]
    gone = [Rejected(source / "set" / f"{name}.jpg", "detect", "no face", "none") for name in rejected]
    write_outputs(out, found, PrepareOptions(backbone=None), kept, gone)


def tree(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


LISTS = {"index.csv", "rejected.csv", "families.json", "prepared.json"}


def test_finding_04_files_of_the_user_stay_whatever_they_are_called(source: Path) -> None:
    out = source / "out"
    write(source, out, "a", "b", rejected=("c",))
    assert tree(out) == LISTS | {"crops/256/a.jpg.png", "crops/256/b.jpg.png", "rejected-001.png"}
    mine = (
        "notes.txt",
        "crops/mine/x.png",
        "crops/256/mine.png",
        "rejected-099.png",
        ".hidden",
        "latents-00007.safetensors",
    )
    for name in mine:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    (out / "empty").mkdir()
    write(source, out, "b", "c")
    assert tree(out) == LISTS | {"crops/256/b.jpg.png", "crops/256/c.jpg.png", *mine}
    assert {(out / name).read_text() for name in mine} == {"mine"} and (out / "empty").is_dir()


@pytest.mark.parametrize("name", ["crops/256/b.jpg.png", "rejected-001.png"])
def test_finding_04_a_file_of_the_user_is_not_written_over(name: str, source: Path) -> None:
    out = source / "out"
    write(source, out, "a")
    (out / name).write_text("mine")
    before = {each: (out / each).read_bytes() for each in tree(out)}
    with pytest.raises(OutputError, match="is there already, and kinblend did not make it"):
        write(source, out, "a", "b", rejected=("c",))
    assert {each: (out / each).read_bytes() for each in tree(out)} == before


def test_finding_04_links_in_the_folder_lead_nowhere(source: Path) -> None:
    out = source / "out"
    write(source, out, "a")
    shutil.move(out / "crops" / "256", source / "elsewhere")
    (out / "crops" / "256").symlink_to(source / "elsewhere")
    before = {path: path.read_bytes() for path in (source / "elsewhere").iterdir()}
    with pytest.raises(OutputError, match="would lie outside"):
        write(source, out, "a")
    (out / "crops" / "256").unlink()
    write(source, out, "b")
    assert {path: path.read_bytes() for path in (source / "elsewhere").iterdir()} == before


@pytest.mark.parametrize("name", ["../set/a.jpg", "/{root}/set/a.jpg", "crops/../../set/a.jpg", "link/a.jpg", ""])
def test_finding_04_a_marker_that_lists_files_elsewhere_removes_none(name: str, source: Path) -> None:
    out = source / "out"
    write(source, out, "a")
    (out / "link").symlink_to(source / "set")
    mark = json.loads((out / "prepared.json").read_text())
    mark["made"].append(name.format(root=source))
    (out / "prepared.json").write_text(json.dumps(mark))
    write(source, out, "b")
    assert (source / "set" / "a.jpg").exists() and (source / "set").is_dir()


@pytest.mark.parametrize("mark", ["", "[]", "{}", '{"kept": 1}', '{"made": 7}', "[" * 100_000])
def test_finding_04_a_folder_without_the_list_is_left_alone(mark: str, source: Path) -> None:
    (source / "out").mkdir()
    (source / "out" / "prepared.json").write_text(mark)
    (source / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="choose a new folder"):
        check_folder(source / "out", pictures(source, "a"))


@pytest.mark.parametrize("out", ["set", "set/../set", ".", "link"])
def test_finding_04_the_folder_of_the_pictures_is_no_place_to_write(out: str, source: Path) -> None:
    (source / "link").symlink_to(source / "set")
    with pytest.raises(OutputError, match="holds pictures that are to be prepared"):
        check_folder(source / out, pictures(source, "a"))


def test_finding_04_what_was_prepared_is_not_prepared_onto_itself(source: Path) -> None:
    out = source / "out"
    write(source, out, "a", "b")
    name, found = read_families(out)
    assert name == "prepared"
    with pytest.raises(KinblendError, match="holds pictures that are to be prepared"):
        check_folder(out, found)


def test_finding_04_what_a_killed_run_left_goes_and_nothing_like_it(source: Path) -> None:
    out = source / "out"
    write(source, out, "a")
    stray, mine = ".index.csv.0123456789ab.part", ".mine.csv.0123456789ab.part"
    for name in (stray, mine):
        (out / name).touch()
    (out / "crops" / "256" / ".a.jpg.png.0123456789ab.part").touch()
    write(source, out, "a")
    assert tree(out) == LISTS | {"crops/256/a.jpg.png", mine}
    assert made(out) == LISTS - {"prepared.json"} | {"crops/256/a.jpg.png"}
