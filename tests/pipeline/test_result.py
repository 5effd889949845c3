"""What a run leaves in a folder: its own children, all of them, and nobody else's."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from kinblend import Child, Latent, LatentSpace, Result, save_latent
from kinblend.errors import KinblendError, OutputError, WriteError
from kinblend.imaging.sheet import sheet
from kinblend.pipeline import Parent

SPACE = LatentSpace("toy", 2, 4, "ab" * 32)
LATENT = Latent(torch.zeros(2, 4), SPACE)


def face(shade: int) -> Image.Image:
    return Image.new("RGB", (64, 64), (shade, shade, shade))


def result(children: int) -> Result:
    """Of so many children, each of a grey of its own."""
    father, mother = Parent(face(10), LATENT), Parent(face(20), LATENT)
    made = [Child(face(30 + number), LATENT, None, number) for number in range(children)]
    asked = [{"age": 8.0, "sex": "girl"} for _ in made]
    manifest = {"schema": 1, "request": {}, "seeds": list(range(children)), "asked": asked}
    return Result(father, mother, made, manifest)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=2, max_size=4))
def test_nobody_of_an_earlier_run_stays(tmp_path: Path, runs: list[tuple[int, bool]]) -> None:
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "child-portrait.png").write_text("mine")
    for children, with_sheet in runs:
        written = result(children).save(folder, with_sheet=with_sheet)
        assert names(folder) == {path.name for path in written} | {"notes.txt", "child-portrait.png"}
        assert len(json.loads((folder / "child.json").read_text())["seeds"]) == children


@pytest.mark.parametrize("stranger", ["child-2.png", "child-3.safetensors", "child-12.png"])
@pytest.mark.parametrize("manifest", [None, "{}", "not json", "[1]"])
def test_files_of_somebody_else_are_neither_removed_nor_taken_for_ours(
    stranger: str, manifest: str | None, tmp_path: Path
) -> None:
    (tmp_path / stranger).write_text("mine")
    if manifest is not None:
        (tmp_path / "child.json").write_text(manifest)
    with pytest.raises(OutputError, match=stranger):
        result(1).save(tmp_path)
    assert names(tmp_path) <= {stranger, "child.json"}
    assert (tmp_path / stranger).read_text() == "mine"


def test_a_sheet_of_somebody_elses_stays(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_text("mine")
    result(2).save(tmp_path)
    assert (tmp_path / "sheet.png").read_text() == "mine"


@pytest.mark.parametrize("folder", ["", "\0", "a\0b", None, 3, b"out", 1.5, [], object()])
def test_what_is_no_place(folder: object) -> None:
    with pytest.raises(OutputError, match="names no place to write to"):
        result(1).save(folder)
    with pytest.raises(OutputError, match="names no place to write to"):
        save_latent(folder, LATENT)


@pytest.mark.parametrize("below", ["", "inside", "far/inside"])
def test_a_file_where_a_folder_is_needed(below: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="can't be written"):
        result(1).save(tmp_path / "file" / below)


@pytest.mark.parametrize("given", [3, None, torch.zeros(2, 4), face(1), "latent"])
def test_only_latents_are_saved_as_latents(given: object, tmp_path: Path) -> None:
    with pytest.raises(KinblendError, match="is no latent"):
        save_latent(tmp_path / "x.safetensors", given)


@pytest.mark.parametrize("children", range(1, 9))
def test_a_sheet_shows_everyone_once(children: int) -> None:
    shown = result(children).sheet()
    counts = dict(map(reversed, shown.getcolors(shown.width * shown.height)))
    everyone = [10, 20, *range(30, 30 + children)]
    assert all(counts[shade, shade, shade] >= 384 * 384 for shade in everyone)
    assert all(counts[shade, shade, shade] < 2 * 384 * 384 for shade in everyone)


def test_every_picture_has_its_caption_and_long_ones_fit() -> None:
    assert result(1).captions() == ["Father", "Mother", "Girl, 8 years"]
    assert result(2).captions()[2:] == ["1: Girl, 8 years", "2: Girl, 8 years"]
    plain = sheet([face(200)] * 2, columns=2, side=128)
    for text in ("A", "A caption that is a good deal longer than its picture is wide"):
        shown = sheet([face(200)] * 2, columns=2, side=128, captions=[text, ""])
        below = shown.crop((0, plain.height, shown.width, shown.height)).convert("L")
        left, _, right, _ = below.point(lambda value: 255 * (value < 128)).getbbox()
        assert 0 <= left < right <= 128


def test_whatever_is_printed_fits_a_line() -> None:
    made = result(3)
    for value in (made, made.father, made.children[0], LATENT, LATENT.space):
        assert "\n" not in repr(value)
        assert len(repr(value)) < 150
    detailed = Latent(torch.zeros(2, 4), SPACE, {"background": torch.zeros(9, 9), "hair": torch.zeros(3)})
    assert "detail of background, hair" in repr(detailed)
