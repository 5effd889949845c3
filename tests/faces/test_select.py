"""Faces in synthetic portraits: found, refused, numbered."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinblend.errors import FaceTooSmallError, NoFaceError, ProfileError, SeveralFacesError
from kinblend.faces import align_with_landmarks, find_face, landmarks_in_crop
from kinblend_plugins.package_shims import plain_nms

FOUND = find_spec("openpeople")
pytestmark = pytest.mark.skipif(FOUND is None, reason="the example people (openpeople) are not installed")
PEOPLE = Path(FOUND.origin or "").parent / "data" / "curated" if FOUND else Path()


def portrait(person: str, side: int = 512, kind: str = "studio_portrait") -> Image.Image:
    return Image.open(PEOPLE / person / "assets" / f"{kind}.jpg").convert("RGB").resize((side, side))


def pasted(*parts: tuple[Image.Image, int], size: tuple[int, int] = (1024, 512)) -> Image.Image:
    whole = Image.new("RGB", size, "grey")
    for part, left in parts:
        whole.paste(part, (left, 0))
    return whole


def test_one_face() -> None:
    image = portrait("P001")
    face = find_face(image)
    left, top, right, bottom = face.box
    assert face.probability >= 0.9 and abs(face.yaw) < 15
    assert face.landmarks.shape == (68, 2) and face.landmarks.dtype == np.float64
    inside = (face.landmarks > [left - 40, top - 40]) & (face.landmarks < [right + 40, bottom + 40])
    assert inside.all()
    eyes = face.landmarks[36:48].mean(axis=0)
    assert left < eyes[0] < right and top < eyes[1] < face.landmarks[48:60, 1].min()


@pytest.mark.parametrize("person", ["P001", "P004", "P009"])
def test_landmarks_are_those_of_dlibs_own_detector(person: str) -> None:
    import dlib

    from kinblend.faces.landmarks import predict

    image = portrait(person, 700)
    box = max(dlib.get_frontal_face_detector()(np.asarray(image), 0), key=lambda box: box.area())
    expected = predict(image, (box.left(), box.top(), box.right() + 1, box.bottom() + 1))
    face = find_face(image)
    eyes = np.hypot(*(face.landmarks[36] - face.landmarks[45]))
    apart = np.hypot(*(face.landmarks - expected)[17:].T) / eyes
    assert apart.mean() < 0.03


def test_several_faces() -> None:
    image = pasted((portrait("P001"), 0), (portrait("P002"), 512))
    with pytest.raises(SeveralFacesError, match=r"2 faces were found in family\.jpg.*by its number"):
        find_face(image, name="family.jpg")
    first, second = find_face(image, face=1), find_face(image, face=2)
    assert first.box[2] < 512 < second.box[0]
    with pytest.raises(NoFaceError, match="no face number 3"):
        find_face(image, face=3)


def test_the_background_does_not_count() -> None:
    assert find_face(pasted((portrait("P001"), 0), (portrait("P002", 120), 800))).box[2] < 512


def test_no_face() -> None:
    with pytest.raises(NoFaceError, match=r"wall\.png"):
        find_face(Image.new("RGB", (300, 200), "grey"), name="wall.png")
    with pytest.raises(NoFaceError):
        find_face(Image.new("RGB", (5, 5)))


def test_tiny_face() -> None:
    with pytest.raises(FaceTooSmallError, match=r"pixels; at least 40"):
        find_face(portrait("P001", 90))


def test_small_face_in_a_large_picture() -> None:
    assert find_face(pasted((portrait("P001", 150), 900), size=(3000, 2000))).box[0] > 900


def test_profile() -> None:
    sheet = Image.open(PEOPLE / "P001" / "assets" / "character_sheet.jpg").convert("RGB")
    with pytest.raises(ProfileError, match="°"):
        find_face(sheet.crop((665, 145, 1140, 640)))


def test_landmarks_in_a_crop() -> None:
    image = portrait("P005", 1024)
    face = align_with_landmarks(image, find_face(image).landmarks, 256)
    assert face.landmarks is not None
    assert np.hypot(*(landmarks_in_crop(face.image) - face.landmarks).T).mean() < 5
    assert landmarks_in_crop(Image.new("RGB", (64, 64), "grey")).shape == (68, 2)


def test_plain_nms() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]], dtype=torch.float32)
    assert plain_nms(boxes, torch.tensor([0.5, 0.9, 0.7]), 0.5).tolist() == [1, 2]
    assert plain_nms(boxes[:0], torch.zeros(0), 0.5).tolist() == []


def test_nobody_elses_modules_are_touched_by_the_detector() -> None:
    """facenet-pytorch, torchvision and requests stay what they are for others, in every thread."""
    code = (
        "import sys\n"
        "from kinblend_plugins.package_shims import import_inception, import_mtcnn\n"
        "import_mtcnn(), import_inception()\n"
        "print(*[name for name in ('facenet_pytorch', 'torchvision', 'requests') if name in sys.modules])\n"
        "import requests\n"
        "print(requests.__version__ > '', hasattr(requests, 'get'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "\nTrue True\n", done.stderr
