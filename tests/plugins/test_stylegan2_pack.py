"""What the training leaves is a model pack like any other, through kinblend's own commands and interface."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from plugin_site import Site
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from toy_faces import picture, pixels, session, tiny, write_faces

from kinblend import Context, LatentSpace, load_backbone
from kinblend.backbone import make_plugin
from kinblend.blend import weighted_sum
from kinblend.errors import CheckpointError, LatentShapeError
from kinblend.identity import load_identity
from kinblend.imaging import to_batch
from kinblend.packs import write_description
from kinblend.testing import EncoderContract, ProjectorContract
from kinblend_plugins.stylegan2.names import to_nvidia, translate
from kinblend_plugins.stylegan2.training.export import export, mean_code
from kinblend_plugins.stylegan2.training.faces import read
from kinblend_plugins.stylegan2.training.metrics import reconstruct
from kinblend_plugins.stylegan2.training.options import TrainOptions
from kinblend_plugins.stylegan2.training.session import Session


@pytest.fixture(scope="module", autouse=True)
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, Path]:
    training, folder = session(delta_every=1, delta_start=0), tmp_path_factory.mktemp("pack")
    for _ in range(10):
        training.step()
    export(training, folder)
    TestCompactEncoder.backbone = TestCompactProjector.backbone = folder
    TestCompactEncoder.faces = [picture(number) for number in range(3)]
    return training, folder


class TestCompactEncoder(EncoderContract):
    backbone = Path()


class TestCompactProjector(ProjectorContract):
    backbone = Path()


def test_the_pack_gives_what_the_running_averages_give(trained: tuple[Session, Path]) -> None:
    training, folder = trained
    backbone = load_backbone(folder)
    backbone.pack.verify()
    assert (backbone.encoder.input_size, backbone.projector.resolution) == (16, 16)
    faces = pixels(4).float() / 127.5 - 1
    with torch.inference_mode():
        pictures = backbone.projector.synthesize(backbone.encoder.encode(faces))
    torch.testing.assert_close(pictures, reconstruct(training, faces), atol=1e-4, rtol=0)


def test_the_latent_average_is_the_mean_code_of_the_training_faces(trained: tuple[Session, Path]) -> None:
    training, folder = trained
    backbone = load_backbone(folder)
    codes = backbone.encoder.encode(training.pixels.float() / 127.5 - 1)
    torch.testing.assert_close(backbone.encoder.average, codes.mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(backbone.projector.average(), mean_code(training), atol=1e-6, rtol=0)


def test_names_go_to_nvidias_and_back(trained: tuple[Session, Path]) -> None:
    tensors = trained[0].networks.generator.state_dict()
    back = translate(to_nvidia(tensors))
    assert {name: tensor.shape for name, tensor in back.items()} == {n: t.shape for n, t in tensors.items()}
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())


def test_pictures_are_encoded_rendered_and_projected(trained: tuple[Session, Path]) -> None:
    backbone = load_backbone(trained[1])
    face = picture(3)
    [latent] = backbone.encode([face])
    [before] = backbone.render([latent])
    nearer = backbone.projector.project(face, start=latent, steps=40)
    [after] = backbone.render([nearer])
    target, *found = to_batch([face.resize((16, 16)), before, after])
    first, second = ((one - target).square().mean() for one in found)
    assert second < first


def test_likeness_looks_at_this_generators_pictures_too(trained: tuple[Session, Path]) -> None:
    backbone, identity = load_backbone(trained[1]), load_identity("dlib")
    father, mother = backbone.encoder.encode(pixels(2).float() / 127.5 - 1)
    weights = make_plugin("blender", "likeness", backbone.context, {"heredity": 0}).weights(father, mother, 0)
    born = torch.stack([father, mother, (father + mother) / 2, weighted_sum(father, mother, weights)])
    with torch.inference_mode():
        seen = F.normalize(identity.embed_pictures(backbone.projector.synthesize(born)), dim=1)
    average, child = seen[2:] @ F.normalize(seen[0] + seen[1], dim=0)
    assert child > average


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("latent_avg"), "latent_avg is missing"),
        (lambda tensors: tensors.pop("heads.2.out.bias"), "heads.2.out.bias is missing"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "more is unknown"),
        (lambda tensors: tensors.update({"stem.weight": torch.zeros(1)}), "stem.weight has shape"),
        (lambda tensors: tensors.pop("stem.bias"), "stem.bias is missing"),
    ],
)
def test_an_encoder_that_does_not_fit_is_refused_by_name(
    change: object, message: str, trained: tuple[Session, Path], tmp_path: Path
) -> None:
    tensors = load_file(trained[1] / "encoder.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "encoder.safetensors")
    context = Context(LatentSpace("t", 6, 16, "0" * 64), {"encoder.safetensors": tmp_path / "encoder.safetensors"})
    with pytest.raises(CheckpointError, match=message):
        make_plugin("encoder", "compact", context)


def test_pictures_of_another_size_are_refused(trained: tuple[Session, Path]) -> None:
    with pytest.raises(LatentShapeError, match=r"takes images \[n, 3, 16, 16\]"):
        load_backbone(trained[1]).encoder.encode(torch.zeros(1, 3, 32, 32))


def test_the_options_are_those_of_the_recipe() -> None:
    options = TrainOptions(faces="f.zip", resolution=128, minutes=3)
    assert (options.faces, options.resolution, options.mirror) == (Path("f.zip"), 128, True)
    assert set(tiny().record()) == set(TrainOptions.model_fields)


def test_from_faces_to_a_picture_by_kinblends_commands(tmp_path: Path) -> None:
    site = Site(tmp_path)
    write_faces(tmp_path / "faces.zip", 12, 4, 64)
    done = site.here("pack-faces", "faces.zip", "small.zip", "--size", 16)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("faces\t16\n")
    assert (tmp_path / "small.zip").stat().st_size < (tmp_path / "faces.zip").stat().st_size
    assert read(tmp_path / "small.zip", "val", 16).shape == (4, 3, 16, 16)
    sizes = ["--resolution", 16, "--width", 12, "--taper", 192, "--depth", 1, "--dim", 16, "--batch", 4]
    words = ["--images", 24, "--identity", "off", "--device", "cpu", "--out", "pack"]
    done = site.here("train", "backbone", "stylegan2", "--faces", "small.zip", *sizes, *words)
    assert (done.returncode, done.stdout) == (0, "pack\n"), done.stderr
    entries = [json.loads(line) for line in (tmp_path / "pack/training/log.jsonl").read_text().splitlines()]
    assert [entry["event"] for entry in entries] == ["started", "measured", "saved", "measured"]
    assert entries[-1]["images"] == 24
    assert len(list((tmp_path / "pack/training/sheets").glob("*.png"))) == 2
    picture(1, 64).save(tmp_path / "face.png")
    for words in (["encode", "face.png", "--aligned"], ["render", "face.safetensors", "--out", "out"]):
        done = site.here(*words, "--backbone", "./pack")
        assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "out" / "face.png") as again:
        assert again.size == (16, 16)


def test_a_pack_of_another_generator_is_another_latent_space(trained: tuple[Session, Path], tmp_path: Path) -> None:
    training, folder = trained
    training.step()
    export(training, tmp_path)
    one, other = load_backbone(folder), load_backbone(tmp_path)
    assert one.space != other.space
    assert write_description(tmp_path, other.pack.description, other.pack.files).space == other.space
