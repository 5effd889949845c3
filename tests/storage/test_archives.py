"""Zips of anybody's making: what they hold comes out, or one sentence that says why not, in bounded memory."""

import io
import os
import random
import zlib
from pathlib import Path

import pytest
from hostile.zips import EPS, HOSTILE, MIB, packed
from PIL import Image
from plugin_site import here

from kinblend.errors import InputError
from kinblend.storage.archives import ArchiveMember, open_archive


def read_all(path: Path) -> dict[str, bytes]:
    with open_archive(path) as archive:
        return {name: archive.read(name) for name in archive.names()}


def test_what_was_packed_comes_out(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(picture, "PNG")
    members = {
        "a/b.bin": os.urandom(MIB),
        "empty": b"",
        "c.png": picture.getvalue(),
        "index.csv": b"file,split\nc,x\nd\n",
    }
    path = packed(tmp_path / "a.zip", members)
    assert read_all(path) == members
    with open_archive(path) as archive:
        assert archive.members[0] == ArchiveMember("a/b.bin", MIB)
        assert archive.picture("c.png").getpixel((0, 0)) == (255, 0, 0)
        assert archive.rows() == [{"file": "c", "split": "x"}, {"file": "d", "split": ""}]
        assert b"".join(archive.chunks("a/b.bin")) == members["a/b.bin"]
        with pytest.raises(InputError, match="has no member nobody"):
            archive.read("nobody")
        with pytest.raises(InputError, match=r"has 1048576 bytes; at most 1000"):
            archive.read("a/b.bin", most=1000)


@pytest.mark.parametrize("kind", HOSTILE)
def test_finding_01_a_hostile_zip_is_refused_in_one_sentence(kind: str, tmp_path: Path) -> None:
    make, reason = HOSTILE[kind]
    make(tmp_path / "a.zip")
    with pytest.raises(InputError, match=reason) as refused:
        read_all(tmp_path / "a.zip")
    assert "a.zip" in str(refused.value)


def test_finding_01_what_is_read_again_and_again_counts_each_time(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a": bytes(MIB)})
    with open_archive(path, most=5 * MIB) as archive:
        for _ in range(5):
            archive.read("a")
        with pytest.raises(InputError, match="more than it may"):
            archive.read("a")


def test_finding_01_any_damage_is_refused_or_harmless(tmp_path: Path) -> None:
    members = {f"{n}.txt": f"text number {n} ".encode() * 9 for n in range(4)}
    whole, draw = packed(tmp_path / "whole.zip", members).read_bytes(), random.Random(0)
    refused = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 1, 3, 20))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        (tmp_path / "a.zip").write_bytes(data[: draw.choice((None, draw.randrange(len(data))))])
        try:
            found = read_all(tmp_path / "a.zip")
        except InputError:
            refused += 1
        else:
            known = {zlib.crc32(data) for data in members.values()}
            assert {zlib.crc32(data) for data in found.values()} <= known | {0}
    assert 200 < refused < 400


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A zip of sixty faces with ratings, of which each is PostScript by the name of a JPEG."""
    rows = "".join(f"x.jpg,train,{n}\nx.jpg,val,{n}\n" for n in range(60))
    (tmp_path / "ratings.csv").write_text("stimulus,age\n" + "".join(f"{n},{n}\n" for n in range(60)))
    index = f"file,split,omi_stimulus\n{rows}".encode()
    return packed(tmp_path / "faces.zip", {"index.csv": index} | {f"{n}.jpg": EPS for n in ("x", "y", "z")})


@pytest.mark.parametrize(
    "words",
    [
        ["pack-faces", "faces.zip", "small.zip"],
        ["evaluate", "backbone", "--faces", "faces.zip"],
        ["train", "backbone", "morphable", "--faces", "faces.zip", "--workers", "1", "--out", "pack"],
        ["train", "backbone", "stylegan2", "--faces", "faces.zip", "--out", "gan"],
        ["train", "directions", "--faces", "faces.zip", "--ratings", "ratings.csv", "--out", "d.safetensors"],
    ],
    ids=lambda words: " ".join(words[:3]),
)
def test_finding_01_postscript_in_a_zip_of_faces_is_not_executed(
    words: list[str], faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import EpsImagePlugin

    interpreter = faces.parent / "bin" / "gs"
    interpreter.parent.mkdir()
    interpreter.write_text(f"#!/bin/sh\necho called >> {faces.parent}/called\necho 10.0\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    monkeypatch.chdir(faces.parent)
    code, _, error = here(*words, PATH=f"{interpreter.parent}:{os.environ['PATH']}")
    assert (code, "x.jpg in faces.zip is not a picture" in error) == (3, True), error
    assert not (faces.parent / "called").exists()
