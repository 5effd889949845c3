"""Likeness of pictures, and the people that are measured with."""

import zipfile
from pathlib import Path

import pytest
import torch

from kinblend.errors import InputError
from kinblend.evaluation.face_dataset import couples, read_faces
from kinblend.evaluation.image_metrics import ms_ssim, psnr


def test_psnr_of_a_known_error():
    one = torch.full((1, 3, 8, 8), 0.5)
    assert float(psnr(one, one + 0.1)) == pytest.approx(20, abs=1e-3)
    where = torch.zeros(1, 1, 8, 8)
    where[..., :4] = 1
    other = one.clone()
    other[..., 4:] += 0.3
    other[..., :4] += 0.01
    assert float(psnr(one, other, where)) == pytest.approx(40, abs=1e-2)


def test_ms_ssim_is_one_for_the_same_picture_and_falls_with_noise_and_blur():
    generator = torch.Generator().manual_seed(0)
    one = torch.nn.functional.interpolate(torch.rand(1, 3, 32, 32, generator=generator), size=192, mode="bilinear")
    noisy = [one + s * torch.randn(one.shape, generator=generator) for s in (0.02, 0.1)]
    scores = [float(ms_ssim(one, other)) for other in (one, *noisy)]
    assert scores[0] == pytest.approx(1, abs=1e-5)
    assert scores[0] > scores[1] > scores[2]
    assert float(ms_ssim(one, torch.nn.functional.avg_pool2d(one, 31, 1, 15))) < 0.9


def test_couples_are_two_people_and_the_same_every_time():
    assert couples(10, 50) == couples(10, 50)
    assert all(a != b for a, b in couples(3, 50))
    assert couples(10, 50) != couples(10, 50, seed=1)


def test_folders_and_zips_of_faces(tmp_path: Path):
    from PIL import Image

    folder = tmp_path / "faces"
    folder.mkdir()
    for name in "abc":
        Image.new("RGB", (8, 8), "red").save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("no picture")
    assert len(read_faces(folder)) == 3
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.write(folder / "a.png", "a.png")
    with pytest.raises(InputError, match="at least 3"):
        read_faces(tmp_path / "two.zip")
    with pytest.raises(InputError, match="can't be read"):
        read_faces(folder / "notes.txt")
