"""`kinblend upscale`: one small face, by one upscaler or by all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plugin_site import here
from portraits import portrait

from kinblend.errors import FaceError, ModelError
from kinblend.imaging.encode import says_synthetic, write_picture
from kinblend.pipeline.upscaled import upscale_face


@pytest.fixture(scope="module")
def small() -> Image.Image:
    return Image.open(portrait("P005")).convert("RGB").resize((120, 120))


def test_one_face_by_several_upscalers(small: Image.Image) -> None:
    made = upscale_face(small, ["nearest", "bilinear", "bicubic"])
    assert list(made.pictures) == ["nearest", "bilinear", "bicubic"]
    [size] = {picture.size for picture in made.pictures.values()}
    assert 60 < made.size < 100
    assert min(size) > 4 * made.size
    pixels = {name: np.asarray(picture, dtype=int) for name, picture in made.pictures.items()}
    assert np.abs(np.diff(pixels["nearest"][:, :4], axis=1)).max() == 0
    assert np.abs(pixels["bilinear"] - pixels["bicubic"]).max() > 0
    sheet = made.sheet()
    side = min(512, *size)
    assert sheet.width == 3 * side + 16 and sheet.height > side


def test_what_can_not_be_used_is_named_and_a_large_face_refused(small: Image.Image) -> None:
    with pytest.raises(ModelError, match="RRDB_ESRGAN"):
        upscale_face(small, ["esrgan"])
    with pytest.raises(FaceError, match="is for faces of up to 512"):
        upscale_face(small.resize((1200, 1200)), ["nearest"])
    with pytest.raises(FaceError, match="no face was found"):
        upscale_face(Image.new("RGB", (90, 90)))


def test_a_made_face_stays_marked_as_one(small: Image.Image, tmp_path: Path) -> None:
    for synthetic in (True, False):
        write_picture(tmp_path / "f.png", small, synthetic=synthetic)
        words = ("upscale", tmp_path / "f.png", "--upscaler", "nearest", "--out", tmp_path / "large.png")
        assert here(*words)[0] == 0
        assert says_synthetic(tmp_path / "large.png") is synthetic


def test_the_command(small: Image.Image, tmp_path: Path) -> None:
    small.save(tmp_path / "f.png")
    out = tmp_path / "large.png"
    code, said, told = here("upscale", tmp_path / "f.png", "--upscaler", "nearest", "--out", out, "--json")
    assert code == 0, told
    assert json.loads(said)["upscalers"] == ["nearest"]
    with Image.open(out) as large:
        assert large.width > 300
    words = ("upscale", tmp_path / "f.png", "--upscaler", "nearest", "--compare", "--out", out)
    assert here(*words)[0] == 2
    assert here("upscale", tmp_path / "f.png", "--upscaler", "nobody", "--out", out)[0] == 2
    assert here("upscale", tmp_path / "f.png", "--out", tmp_path / "large.gif")[0] == 2
