"""One face becomes another through the latents between them."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from plugin_site import here

from kinblend import Engine, Latent, load_backbone, save_latent
from kinblend.errors import LatentSpaceError, OutputError, UsageError, WriteError
from kinblend.imaging import video
from kinblend.pipeline.morph import make_morph, stops, way


@pytest.fixture(scope="module")
def people() -> list[Latent]:
    space, generator = load_backbone("morphable").space, torch.Generator().manual_seed(3)
    return [Latent(torch.randn(space.layers, space.dim, generator=generator) / 2, space) for _ in range(3)]


@pytest.fixture(scope="module")
def files(people: list[Latent], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("people")
    for number, one in enumerate(people):
        save_latent(folder / f"{number}.safetensors", one)
    return [folder / f"{number}.safetensors" for number in range(len(people))]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable", "cpu")


def test_it_begins_and_ends_with_the_people_and_passes_the_one_between(engine: Engine, people: list[Latent]) -> None:
    said = []
    made = make_morph(engine, people, 5, side=64, progress=lambda done, total: said.append((done, total)))
    assert (len(made.frames), made.rests, said) == (5, [0, 2, 4], [(0, 5), (4, 5), (5, 5)])
    for place, one in zip(made.rests, people, strict=True):
        assert made.frames[place].tobytes() == engine.render(one, size=64).resize((64, 64)).tobytes()
    frames, shown = made.played(100, 800)
    assert len(frames) == 8 and shown == [800, 100, 800, 100, 800, 100, 800, 100]
    assert frames[5] is frames[3] and made.played(100, 800, back=False)[0] == made.frames


def test_codes_go_in_a_straight_line_and_details_are_mixed_as_pictures(people: list[Latent]) -> None:
    first, second, _ = people
    between = list(way(first, second, 4))
    assert [one.share for one in between] == [0, 0.25, 0.5, 0.75]
    assert torch.allclose(between[2].first.code, (first.code + second.code) / 2, atol=1e-6)
    assert [len(one.latents) for one in between] == [1] * 4
    detailed = Latent(first.code, first.space, {"residual": torch.zeros(1)})
    assert [len(one.latents) for one in way(detailed, second, 4)] == [1, 2, 2, 2]


def test_of_one_person_of_strangers_and_of_too_few_frames_there_is_none(engine: Engine, people: list[Latent]) -> None:
    assert stops(4, 3) == [0, 2, 3]
    for frames, count in ((5, 1), (2, 3), (301, 2)):
        with pytest.raises(UsageError):
            stops(frames, count)
    space = people[0].space
    with pytest.raises(LatentSpaceError):
        other = Latent(people[0].code, type(space)("other", space.layers, space.dim, "cd" * 32))
        make_morph(engine, [people[0], other], 2)


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_the_file_plays_for_ever_says_what_it_is_and_is_the_same_again(
    suffix: str, files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / f"m{suffix}"
    words = ["--through", files[2], "--frames", "5", "--side", "64", "--seconds", "0.4", "--out", out]
    code, text, error = here("morph", files[0], files[1], *words, "--json", "--quiet")
    assert (code, error) == (0, "")
    record, before = json.loads(text), out.read_bytes()
    assert record["files"] == [str(out), f"{out}.json"]
    assert json.loads(Path(f"{out}.json").read_text())["milliseconds"] == {"moving": 100, "resting": 800}
    assert len(record["inputs"]) == 3 and all(len(one["sha256"]) == 64 for one in record["inputs"])
    with Image.open(out) as picture:
        assert (picture.n_frames, picture.size, picture.info["loop"]) == (8, (64, 64), 0)
    assert b"Synthetic image made by kinblend" in before
    code, _, error = here("morph", files[0], files[1], *words)
    assert (code, "will be replaced" in error, out.read_bytes() == before) == (0, True, True)


@pytest.mark.parametrize(
    ("out", "said"),
    [("m.avi", "ends in .webp, .gif, .mp4"), ("m", "ends in"), ("m.png", "ends in")],
)
def test_other_kinds_are_not_written(out: str, said: str, files: list[Path], tmp_path: Path) -> None:
    code, _, error = here("morph", files[0], files[1], "--out", tmp_path / out)
    assert (code, said in error) == (2, True), error


def test_without_ffmpeg_there_is_no_mp4_and_the_message_says_so(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "find_ffmpeg", lambda: None)
    code, _, error = here("morph", files[0], files[1], "--out", tmp_path / "m.mp4")
    assert (code, "MP4 needs the program ffmpeg" in error, "name a .webp" in error) == (2, True, True)


def test_an_ffmpeg_that_fails_leaves_no_file_and_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho 'Unknown encoder' >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(video, "find_ffmpeg", lambda: str(program))
    with pytest.raises(WriteError, match="ffmpeg made no MP4: Unknown encoder"):
        video.write_video(tmp_path / "m.mp4", [Image.new("RGB", (256, 256))] * 20, [400] * 20)
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]
    with pytest.raises(OutputError, match="ends in"):
        video.write_video(tmp_path / "m.mkv", [], [])


def test_an_mp4_shows_each_frame_as_long_as_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, got = tmp_path / "ffmpeg", tmp_path / "got"
    program.write_text(f'#!/bin/sh\ncat > {got}\nfor last; do :; done\ncp {got} "${{last#file:}}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(video, "find_ffmpeg", lambda: str(program))
    pictures = [Image.new("RGB", (33, 33), (value, 0, 0)) for value in (1, 2)]
    video.write_video(tmp_path / "m.mp4", pictures, [800, 40])
    data = (tmp_path / "m.mp4").read_bytes()
    assert len(data) == 21 * 32 * 32 * 3
    assert data[::3] == bytes([1]) * (20 * 1024) + bytes([2]) * 1024


def test_an_ffmpeg_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr(video, "find_ffmpeg", lambda: str(program))
    monkeypatch.setattr(video, "PATIENCE", 0.3)
    monkeypatch.setattr(video, "EACH", 0.0)
    with pytest.raises(WriteError, match="did not end in time and was stopped"):
        video.write_video(tmp_path / "m.mp4", [Image.new("RGB", (256, 256))] * 20, [400] * 20)
    program.write_text("no program")
    with pytest.raises(WriteError, match="ffmpeg can't be started"):
        video.write_video(tmp_path / "m.mp4", [Image.new("RGB", (32, 32))], [40])
    assert [path.name for path in tmp_path.iterdir()] == ["ffmpeg"]


@pytest.mark.skipif(video.find_ffmpeg() is None, reason="there is no ffmpeg")
def test_ffmpeg_itself_makes_the_same_film_twice(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (64, 64), (value, 90, 9)) for value in (1, 200)]
    for name in ("a.mp4", "b.mp4"):
        video.write_video(tmp_path / name, pictures, [200, 200])
    film = (tmp_path / "a.mp4").read_bytes()
    assert film[4:8] == b"ftyp" and film == (tmp_path / "b.mp4").read_bytes()
    assert b"Synthetic image made by kinblend" in film
