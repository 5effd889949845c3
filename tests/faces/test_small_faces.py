"""Small faces: how many pixels they really have, what enlarging them gives, alignment from five points."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinblend.cli.demo import example
from kinblend.errors import ModelError, UsageError
from kinblend.faces.alignment import align, face_square
from kinblend.faces.detect import detect, detect_many
from kinblend.faces.landmarks import landmarker
from kinblend.faces.resolution import effective_resolution
from kinblend.faces.upscale import enlarge, load_upscaler
from kinblend_plugins.upscalers.realesrgan import PACKAGE, read_ncnn

pytestmark = pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people are not installed")
needs_weights = pytest.mark.skipif(
    find_spec(PACKAGE) is None or find_spec("spandrel") is None, reason="the extra upscale is not installed"
)


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    return Image.open(example("P001")).convert("RGB").resize((256, 256))


@pytest.mark.parametrize("resampling", ["NEAREST", "BILINEAR", "BICUBIC"])
def test_a_blown_up_face_is_as_small_as_it_was(portrait: Image.Image, resampling: Image.Resampling) -> None:
    face = portrait.crop((64, 50, 192, 178))
    assert effective_resolution(face) == 128
    assert effective_resolution(face.resize((32, 32)).resize((128, 128), Image.Resampling[resampling])) == 32


def test_pictures_of_mixed_sizes_give_what_each_gives_alone(portrait: Image.Image) -> None:
    pictures = [
        portrait,
        Image.new("RGB", (256, 256)),
        portrait.resize((300, 300)),
        Image.new("RGB", (8, 8)),
        portrait,
    ]
    together = detect_many(pictures)
    assert [len(faces) for faces in together] == [1, 0, 1, 0, 1]
    for picture, faces in zip(pictures, together, strict=True):
        for one, other in zip(faces, detect(picture), strict=True):
            assert np.abs(np.subtract(one.box, other.box)).max() < 0.01
            assert np.abs(one.points - other.points).max() < 0.01


def test_five_points_cut_nearly_the_same_square(portrait: Image.Image) -> None:
    [face] = detect(portrait)
    points = landmarker().predict_by_own_detector(portrait, face.box)
    assert points is not None
    by_68, by_5 = face_square(points), face_square(face.points)
    assert np.abs(by_68.corners() - by_5.corners()).max() < 0.08 * by_68.side
    assert align(portrait, face.points, 128).size == (128, 128)
    assert landmarker().predict_by_own_detector(portrait, (0, 0, 20, 20)) is None


@needs_weights
def test_real_esrgan_makes_four_times_as_many_pixels_of_the_same_face(portrait: Image.Image) -> None:
    assert sum(weights.numel() for weights in load_upscaler("realesrgan").network.parameters()) == 16_697_987
    small = portrait.resize((48, 48), Image.Resampling.BOX)
    [large] = enlarge([small], "realesrgan")
    [smooth] = enlarge([small], "bicubic")
    assert large.size == smooth.size == (192, 192)
    back = np.asarray(large.resize((48, 48), Image.Resampling.BOX), dtype=float)
    assert np.abs(back - np.asarray(small)).mean() < 8

    def edges(image: Image.Image) -> float:
        return float(np.abs(np.diff(np.asarray(image.convert("L"), dtype=float))).mean())

    assert edges(large) > edges(smooth)


@needs_weights
def test_a_damaged_network_file_is_refused(tmp_path: Path) -> None:
    folder = Path(find_spec(PACKAGE).submodule_search_locations[0]) / "models"
    stem = tmp_path / "REALESRGAN_X4PLUS_UP4X"
    for suffix in (".param", ".bin"):
        data = (folder / stem.name).with_suffix(suffix).read_bytes()
        stem.with_suffix(suffix).write_bytes(data if suffix == ".param" else data[:-100_000])
    with pytest.raises(ModelError, match="reinstall"):
        read_ncnn(stem)


def test_off_leaves_pictures_alone_and_what_is_missing_says_so(
    portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert enlarge([portrait], "off") == [portrait]
    monkeypatch.setattr("kinblend.plugins._components", {})
    monkeypatch.setattr("kinblend_plugins.upscalers.realesrgan.PACKAGE", "a_package_that_is_not_there")
    with pytest.raises(UsageError, match=r"kinblend\[upscale\]"):
        enlarge([portrait], "realesrgan")
    with pytest.raises(UsageError, match="there are: realesrgan, realesrgan-package, esrgan, bicubic"):
        load_upscaler("lanczos")


def test_the_package_realesrgan_is_asked_for_by_name() -> None:
    """Where it is installed it enlarges; where it isn't, the error says what to do."""
    try:
        import realesrgan  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match=r"kinblend\[realesrgan\]"):
            load_upscaler("realesrgan-package")
        pytest.skip("the package realesrgan is not installed")
    small = Image.new("RGB", (32, 32), "grey")
    assert load_upscaler("realesrgan-package").upscale([small])[0].size == (128, 128)
