"""The built-in encoders, projectors and editors keep the contract that strangers' are held to."""

from pathlib import Path

import pytest
import torch
from recipes import DATA, cases

from kinblend import Context, LatentSpace
from kinblend.cli.demo import example
from kinblend.faces import align, find_face
from kinblend.imaging.decode import read_image
from kinblend.testing import (
    DetectorContract,
    EditorContract,
    EncoderContract,
    IdentityNetworkContract,
    LandmarkerContract,
    ProjectorContract,
    UpscalerContract,
)


@pytest.fixture(scope="module", autouse=True)
def prepare(e4e_pack: Path) -> None:
    """Crops of two people, and a pack imported from a made-up checkpoint."""
    faces = []
    for person in ("P001", "P005"):
        image = read_image(example(person))
        faces.append(align(image, find_face(image).landmarks, 512))
    for contract in (
        TestMorphableEncoder,
        TestE4eEncoder,
        TestMtcnn,
        TestDlibLandmarks,
        TestDlibIdentity,
        TestBicubic,
    ):
        contract.faces = faces
    TestE4eEncoder.backbone = TestStyleGAN2Projector.backbone = e4e_pack


class TestMorphableEncoder(EncoderContract):
    backbone = "morphable"


class TestE4eEncoder(EncoderContract):
    backbone = Path()


class TestMorphableProjector(ProjectorContract):
    backbone = "morphable"


class TestStyleGAN2Projector(ProjectorContract):
    backbone = Path()

    def codes(self, count: int = 2) -> torch.Tensor:
        return cases("e4e_256")["w_plus"][:count].clone()


class TestMtcnn(DetectorContract):
    name = "mtcnn"


class TestDlibLandmarks(LandmarkerContract):
    name = "dlib"


class TestDlibIdentity(IdentityNetworkContract):
    name = "dlib"


class TestBicubic(UpscalerContract):
    name = "bicubic"


class TestInterfaceGAN(EditorContract):
    name = "interfacegan"
    options = {
        "directions": {
            "age": str(DATA / "original_blends" / "directions.safetensors"),
            "smile": str(DATA / "original_blends" / "directions.safetensors"),
        },
        "keep": ["smile"],
        "layers": [0, 9],
    }
    context = Context(LatentSpace("contract", 18, 512, "0" * 64))
