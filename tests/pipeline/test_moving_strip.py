"""One person who grows older as a moving picture."""

import json
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from plugin_site import here

from kinblend import Engine, Latent, load_backbone, save_latent
from kinblend.errors import UsageError
from kinblend.imaging import video
from kinblend.pipeline.moving_strip import make_moving_strip


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    space, generator = load_backbone("morphable").space, torch.Generator().manual_seed(8)
    path = tmp_path_factory.mktemp("person") / "anna.safetensors"
    save_latent(path, Latent(torch.randn(space.layers, space.dim, generator=generator) / 2, space))
    return path


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable", "cpu")


def pixels(picture: Image.Image, side: int = 64) -> numpy.ndarray:
    """The face without the line below, as numbers."""
    return numpy.asarray(picture.crop((0, 0, side, side)), dtype=float)


def test_frames_between_two_ages_are_edits_of_their_own(engine: Engine, person: Path) -> None:
    who, editor, said = engine.parent(person), engine.editor(), []
    made = make_moving_strip(
        engine, who, editor, "age", ["10y", "20y", "60y"], {"gender": "female"}, 5, side=64,
        progress=lambda done, total: said.append((done, total)),
    )  # fmt: skip
    assert (len(made.frames), made.rests, said) == (5, [0, 2, 4], [(0, 5), (4, 5), (5, 5)])
    for frame, age in zip(made.frames, ("10y", "15y", "20y", "40y", "60y"), strict=True):
        alone = engine.render(engine.edit(who, editor, {"age": age, "gender": "female"}), size=64)
        assert (pixels(frame) == pixels(alone.resize((64, 64)))).all()
    assert made.record["values"] == ["10 years", "20 years", "60 years"] and made.record["with"] == {
        "gender": "female"
    }


def test_captions_stand_below_and_can_be_left_out(engine: Engine, person: Path) -> None:
    who, editor = engine.parent(person), engine.editor()
    with_them, without = (
        make_moving_strip(engine, who, editor, "smile", [-1, 1], frames=2, side=64, captions=wanted)
        for wanted in (True, False)
    )
    assert [frame.size for frame in without.frames] == [(64, 64)] * 2
    assert all(frame.height > 64 and frame.width == 64 for frame in with_them.frames)
    assert all((pixels(a) == pixels(b)).all() for a, b in zip(with_them.frames, without.frames, strict=True))


def test_between_words_the_codes_go_straight(engine: Engine, person: Path) -> None:
    who, editor = engine.parent(person), engine.editor()
    made = make_moving_strip(engine, who, editor, "gender", ["female", "male"], frames=3, side=64, captions=False)
    ends = [engine.edit(who, editor, {"gender": word}) for word in ("female", "male")]
    middle = Latent((ends[0].code + ends[1].code) / 2, ends[0].space, ends[0].detail)
    assert numpy.abs(pixels(made.frames[1]) - pixels(engine.render(middle, size=64).resize((64, 64)))).max() <= 1


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_the_file_plays_for_ever_says_what_it_is_and_is_the_same_again(
    suffix: str, person: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"ages{suffix}"
    words = ["strip", person, "--age", "8,60", "--frames", "4", "--side", "64", "--seconds", "0.3", "--out", out]
    code, text, error = here(*words, "--json", "--quiet")
    assert (code, error) == (0, "")
    record, before = json.loads(text), out.read_bytes()
    assert record["files"] == [str(out), f"{out}.json"] and record["milliseconds"] == {"moving": 100, "resting": 600}
    assert {path.name for path in tmp_path.iterdir()} == {out.name, f"{out.name}.json"}
    with Image.open(out) as picture:
        assert (picture.n_frames, picture.width, picture.info["loop"]) == (6, 64, 0)
    assert b"Synthetic image made by kinblend" in before
    code, _, error = here(*words)
    assert (code, "will be replaced" in error, out.read_bytes() == before) == (0, True, True)


def test_an_mp4_goes_to_ffmpeg_as_raw_pixels_of_even_sides(
    person: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/sh\necho "$@" > "$0.words"\nfor last; do :; done\ncat > "${last#file:}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(video, "find_ffmpeg", lambda: str(program))
    words = ["--age", "8,60", "--frames", "2", "--side", "65", "--one-way", "--seconds", "0.2", "--rest", "0"]
    code, _, error = here("strip", person, *words, "--out", tmp_path / "ages.mp4", "--quiet")
    assert (code, error) == (0, "")
    width, height = 64, 65 + 65 // 14 + 8
    height -= height % 2
    assert len((tmp_path / "ages.mp4").read_bytes()) == 2 * 5 * width * height * 3  # of 0.2 s at 25 a second
    said = Path(f"{program}.words").read_text()
    assert f"-s {width}x{height}" in said and "comment=Synthetic image made by kinblend" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--age", "8", "--out", "a.webp"], "leads from one value to another: name two"),
        (["--age", "8,9,10", "--frames", "2", "--out", "a.gif"], "2 frames: use 3 to 300"),
        (["--age", "8,9", "--frames", "9", "--out", "folder"], "frames is of a moving picture"),
        (["--age", "8,9", "--no-captions", "--out", "folder"], "captions is of a moving picture"),
        (["--age", "8,8y", "--out", "a.gif"], "twice"),
    ],
    ids=["one", "frames", "folder", "captions", "twice"],
)
def test_what_will_not_do_is_said_before_any_work(
    words: list[str], said: str, person: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, error = here("strip", person, *words)
    assert (code, said in error, list(tmp_path.iterdir())) == (2, True, []), error


def test_without_ffmpeg_there_is_no_mp4(person: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "find_ffmpeg", lambda: None)
    code, _, error = here("strip", person, "--age", "8,9", "--out", tmp_path / "a.mp4")
    assert (code, "MP4 needs the program ffmpeg" in error, "name a .webp or .gif" in error) == (2, True, True)


def test_a_folder_called_so_stays_a_folder(person: Path, tmp_path: Path) -> None:
    (tmp_path / "ages.webp").mkdir()
    code, _, error = here("strip", person, "--age", "8", "--side", "64", "--out", tmp_path / "ages.webp", "--quiet")
    assert (code, error) == (0, "") and (tmp_path / "ages.webp" / "strip.png").is_file()


def test_from_python_too_few_values_are_refused(engine: Engine, person: Path) -> None:
    with pytest.raises(UsageError, match="name two at least"):
        make_moving_strip(engine, engine.parent(person), engine.editor(), "age", ["8y"])
