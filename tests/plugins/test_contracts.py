"""The built-in encoders, projectors and editors keep the contract that strangers' are held to."""

from pathlib import Path

import pytest
import torch
from published_checkpoints import write_nvidia
from recipes import DATA, cases, state_dict

from kinblend import Context, LatentSpace
from kinblend.cli.demo import example
from kinblend.faces import align, find_face
from kinblend.imaging.decode import read_image
from kinblend.pack_import import import_pack
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
def prepare(e4e_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Crops of two people, and packs imported from made-up checkpoints."""
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
        TestBilinear,
        TestNearest,
    ):
        contract.faces = faces
    TestE4eEncoder.backbone = e4e_pack
    folder = tmp_path_factory.mktemp("contracts")
    write_nvidia(folder / "ada.pkl", state_dict("stylegan2_ada_64"))
    TestStyleGAN2Projector.backbone = import_pack(folder / "ada.pkl", folder, "made-up").folder


class TestMorphableEncoder(EncoderContract):
    backbone = "morphable"


class TestE4eEncoder(EncoderContract):
    backbone = Path()


class TestMorphableProjector(ProjectorContract):
    backbone = "morphable"


class TestStyleGAN2Projector(ProjectorContract):
    backbone = Path()

    def codes(self, count: int = 2) -> torch.Tensor:
        return cases("stylegan2_ada_64")["w_plus"][:count].clone()


class TestMtcnn(DetectorContract):
    name = "mtcnn"


class TestDlibLandmarks(LandmarkerContract):
    name = "dlib"


class TestDlibIdentity(IdentityNetworkContract):
    name = "dlib"


class TestBicubic(UpscalerContract):
    name = "bicubic"


class TestBilinear(UpscalerContract):
    name = "bilinear"


class TestNearest(UpscalerContract):
    name = "nearest"


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
