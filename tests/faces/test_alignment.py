"""The crop is encoder4editing's, the landmarks follow it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinblend.errors import FaceError
from kinblend.faces import align, align_with_landmarks
from kinblend.faces.alignment import align_many, face_square

DATA = Path(__file__).parents[1] / "data" / "ffhq_align"  # synthetic noise pictures, made for this purpose
LANDMARKS = {name: np.array(points) for name, points in json.loads((DATA / "landmarks.json").read_text()).items()}


@pytest.mark.parametrize("name", sorted(LANDMARKS))
def test_crop_equals_encoder4editing(name: str) -> None:
    crop = align(Image.open(DATA / f"{name}.png").convert("RGB"), LANDMARKS[name], 256)
    expected = Image.open(DATA / f"{name}.e4e_256.png").convert("RGB")
    apart = np.abs(np.asarray(crop, dtype=int) - np.asarray(expected, dtype=int)).max(axis=2)
    assert crop.size == (256, 256)
    assert (apart <= 2).mean() >= 0.999, f"largest {apart.max()}"


def test_landmarks_follow_the_picture() -> None:
    points = LANDMARKS["centre"].astype(float)
    image = Image.new("RGB", (640, 640), "black")
    spot = points[30].astype(int)
    image.paste("white", (spot[0] - 3, spot[1] - 3, spot[0] + 4, spot[1] + 4))
    face = align_with_landmarks(image, points, 256)
    assert face.landmarks is not None and face.landmarks.shape == (68, 2)
    light = np.asarray(face.image.convert("L"), dtype=float)
    y, x = np.mgrid[:256, :256]
    centre = [(x * light).sum() / light.sum(), (y * light).sum() / light.sum()]
    np.testing.assert_allclose(centre, face.landmarks[30], atol=0.3)


def test_an_aligned_crop_aligns_to_itself() -> None:
    points = LANDMARKS["pad_topleft"].astype(float)
    inside = face_square(points).into_crop(points, 256)
    square = face_square(inside)
    np.testing.assert_allclose(square.corners()[0], [-0.5, -0.5], atol=1e-6)
    np.testing.assert_allclose(square.corners()[2], [255.5, 255.5], atol=1e-6)


@pytest.mark.parametrize("side", [64, 1024])
def test_other_sizes(side: int) -> None:
    image = Image.open(DATA / "pad_topleft.png")
    assert align(image, LANDMARKS["pad_topleft"], side).size == (side, side)
    assert align(image, LANDMARKS["pad_topleft"], 64, transform_size=256).size == (64, 64)


def test_several_sizes_at_once_are_those_one_by_one() -> None:
    image, points = Image.open(DATA / "pad_topleft.png").convert("RGB"), LANDMARKS["pad_topleft"]
    for size, crop in zip((32, 64, 1024), align_many(image, points, (32, 64, 1024)), strict=True):
        assert crop.tobytes() == align(image, points, size).tobytes()


def test_refused_landmarks() -> None:
    image = Image.new("RGB", (64, 64))
    with pytest.raises(FaceError, match="68 or 5"):
        align(image, np.zeros((4, 2)))
    with pytest.raises(FaceError, match="no face"):
        align(image, np.zeros((68, 2)))
    with pytest.raises(FaceError, match="outside"):
        align(image, LANDMARKS["tiny"] + 10_000)


@pytest.mark.parametrize("deviation", [13.0, 28.5])
def test_a_wide_blur_made_on_a_smaller_copy_is_the_same(deviation: float, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinblend.faces import alignment

    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(noise).resize((300, 400), Image.Resampling.BICUBIC))
    small, shrunk = alignment._gaussian(pixels, deviation)
    assert shrunk > 1
    quick = alignment._enlarged(small, 300, 400, (0, 0, 300 / shrunk, 400 / shrunk))
    monkeypatch.setattr(alignment, "COARSE", 1e9)
    assert np.abs(quick - alignment._gaussian(pixels, deviation)[0]).max() < 0.3


def test_a_border_made_for_the_square_alone_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from kinblend.faces import alignment

    large = Image.open(DATA / "pad_topleft.png").convert("RGB").resize((2000, 2000), Image.Resampling.BICUBIC)
    points = LANDMARKS["pad_topleft"].astype(float) * 5
    quick = np.asarray(align(large, points, 1024), dtype=int)
    monkeypatch.setattr(alignment, "MARGIN", 10_000)
    monkeypatch.setattr(alignment, "SAMPLE", 10_000)
    assert np.abs(quick - np.asarray(align(large, points, 1024), dtype=int)).max() <= 1
