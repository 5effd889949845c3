"""Encoders by optimisation over a small StyleGAN2: alone, and after a ResNet-50, beside torchvision's."""

from collections.abc import Callable, Mapping
from pathlib import Path

import published_stylegan1
import published_stylegan3
import pytest
import torch
from PIL.Image import Image
from plugin_site import here
from published_checkpoints import in_nvidias_names, in_rosinalitys_names, toy, write_nvidia
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kinblend import AlignedFace, Backbone, Context, Latent, LatentSpace, Projector, load_backbone
from kinblend.cancellation import cancellable
from kinblend.errors import CheckpointError, KinblendError, OptionError, PackError, UnsupportedError
from kinblend.imaging import to_batch, to_pictures
from kinblend.interfaces import ProjectionProgress
from kinblend.inversion import Whitening, head_weight, picture_distance
from kinblend.pack_import import import_pack
from kinblend.progress import listening
from kinblend.storage.packs import open_pack
from kinblend.testing import EncoderContract
from kinblend_plugins.importers.resnet import import_resnet
from kinblend_plugins.inversion.optimize import OptimizeEncoder
from kinblend_plugins.inversion.options import OptimizeOptions
from kinblend_plugins.inversion.resnet import ResNetEncoder
from kinblend_plugins.inversion.resnet_network import CodeResNet, build_resnet
from kinblend_plugins.package_shims import import_torchvision

SIDE, LAYERS, DIM = 64, 10, 512


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Of a ResNet-50: under these codes stay small and depend on everything."""
    with torch.device("meta"):
        network = CodeResNet(LAYERS, DIM)
    source, found = torch.Generator().manual_seed(1), {}
    for name, tensor in network.state_dict().items():
        drawn = torch.randn(tensor.shape, generator=source)
        if name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(1)
        elif name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            found[name] = 0.5 + drawn.abs()
        elif tensor.ndim == 1:
            found[name] = 0.1 * drawn
        else:
            gain = {"conv3": 0.1, "fc": 1e-3}.get(name.split(".")[-2], 2.0)  # residual blocks add up
            found[name] = drawn * (gain / tensor[0].numel()) ** 0.5
    return found


@pytest.fixture(scope="module")
def checkpoint(weights: dict[str, Tensor]) -> dict:
    """What a file holds."""
    state = {f"encoder.{name}": tensor for name, tensor in weights.items()}
    state |= {f"decoder.{name}": tensor for name, tensor in in_rosinalitys_names(toy(SIDE)).items()}
    return {"state_dict": state, "latent_avg": torch.full((LAYERS, DIM), 0.1), "opts": {"encoder_type": "ResNet50"}}


def imported(content: object, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    torch.save(content, folder / "file.pt")
    return import_pack(folder / "file.pt", folder / "packs", "toy").folder


@pytest.fixture(scope="module")
def pack(checkpoint: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imported(checkpoint, tmp_path_factory.mktemp("resnet"))


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator alone."""
    folder = tmp_path_factory.mktemp("bare")
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(SIDE)))
    return import_pack(folder / "net.pkl", folder / "packs", "bare").folder


@pytest.fixture(scope="module")
def faces(pack: Path) -> list[Image]:
    """Pictures that the generator draws."""
    projector = load_backbone(pack).projector
    codes = projector.map(torch.randn(2, DIM, generator=torch.Generator().manual_seed(3)))
    with torch.inference_mode():
        return to_pictures(projector.synthesize(codes))


@pytest.fixture(scope="module", autouse=True)
def given(pack: Path, faces: list[Image]) -> None:
    TestResNetEncoder.backbone, TestResNetEncoder.faces = pack, faces


class TestResNetEncoder(EncoderContract):
    backbone = Path()
    encoder_options = {"refine": 1}


def opened(bare: Path, **options: object) -> Backbone:
    return load_backbone(bare, encoder="optimize", encoder_options=options)


def away(backbone: Backbone, latent: Latent, face: Image) -> float:
    shown = to_batch(backbone.render([latent]), SIDE)
    return float(picture_distance(shown, to_batch([face], SIDE), head_weight(SIDE)))


def test_optimisation_begins_with_the_average_and_comes_nearer(bare: Path, faces: list[Image]) -> None:
    backbone = load_backbone(bare)
    [start], [end] = (opened(bare, steps=steps, prior=0.0).encode(faces[:1]) for steps in (0, 6))
    torch.testing.assert_close(start.code, backbone.projector.average(), atol=1e-4, rtol=0)
    assert away(backbone, end, faces[0]) < 0.95 * away(backbone, start, faces[0])


def small_stylegan2(folder: Path) -> None:
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(8)))


def small_stylegan1(folder: Path) -> None:
    torch.save({"generator_smooth": published_stylegan1.genforce((6, 5, 5))}, folder / "net.pkl")


def small_stylegan3(folder: Path) -> None:
    recipe = published_stylegan3.Recipe()
    state, settings = published_stylegan3.state_of(recipe), published_stylegan3.settings_of(recipe)
    write_nvidia(folder / "net.pkl", state, settings=settings)


@pytest.mark.parametrize("write", [small_stylegan2, small_stylegan1, small_stylegan3])
def test_any_generator_that_draws_latents_will_do(write: Callable, tmp_path: Path, faces: list[Image]) -> None:
    write(tmp_path)
    folder = import_pack(tmp_path / "net.pkl", tmp_path / "packs", "small").folder
    first, second = opened(folder, steps=3).encode(faces)
    assert bool(torch.isfinite(first.code).all())
    assert not torch.allclose(first.code, second.code)


def test_the_same_face_has_the_same_bytes_whoever_is_beside_it(bare: Path, faces: list[Image]) -> None:
    backbone = opened(bare, steps=2)
    [one], both = backbone.encode(faces[1:]), backbone.encode(faces)
    assert torch.equal(one.code, both[1].code)
    assert float((both[0].code - both[1].code).abs().max()) > 0.01  # it looks at the face
    assert torch.equal(backbone.encoder.encode(to_batch(faces[1:], 256))[0], one.code)


def test_a_stronger_prior_stays_among_the_samples(bare: Path, faces: list[Image]) -> None:
    samples = load_backbone(bare).projector.map(torch.randn(2000, DIM))[:, 0]
    found = [opened(bare, steps=3, prior=prior).encode(faces[:1])[0].code.mean(0) for prior in (0.0, 0.5)]
    free, held = Whitening(DIM, samples).to_u(torch.stack(found)).square().mean(1)
    assert float(held) < 0.7 * float(free)


def test_what_the_likeness_counts_changes_the_code(bare: Path, faces: list[Image]) -> None:
    codes = [opened(bare, steps=2, identity=weight).encode(faces[:1])[0].code for weight in (0, 20)]
    assert not torch.allclose(codes[0], codes[1], atol=1e-3)


class GivenUp(KinblendError):
    pass


def test_it_tells_how_far_it_is_and_can_be_given_up(bare: Path, faces: list[Image]) -> None:
    told: list[tuple[int, int]] = []
    with listening(lambda *now: told.append(now)):
        opened(bare, steps=2).encode(faces)
    assert told == [(done, 4) for done in range(1, 5)]

    def check() -> None:
        if told[-1] == (2, 10_000):
            raise GivenUp

    with pytest.raises(GivenUp), cancellable(check), listening(lambda *now: told.append(now)):
        opened(bare, steps=5000).encode(faces)
    assert told[-1] == (2, 10_000)


class Plain(Projector):
    """Draws a code's mean; neither samples nor projects."""

    resolution = 64
    noise_kinds = ("none",)

    def synthesize(self, codes, *, noise=None, seed=0, size=None):
        return codes.mean((1, 2))[:, None, None, None].expand(-1, 3, 64, 64)


class Inverting(Plain):
    """Projects as it knows itself: the mean of a picture is its code."""

    def project(self, image, *, start=None, steps=300, seed=0, progress=None):
        progress(ProjectionProgress(steps, steps, 0.0))
        code = to_batch([image], 64).mean().expand(self.space.layers, self.space.dim)
        return Latent(code.contiguous(), self.space, {"mark": torch.ones(1)})


def test_a_projector_that_projects_itself_does_so_detail_included() -> None:
    space = LatentSpace("plain", 2, 4, "ab" * 32)
    context = Context(space, projector=lambda: Inverting(None, Context(space)))
    encoder, told = OptimizeEncoder(OptimizeOptions(steps=7), context), []
    grey = torch.full((1, 3, 256, 256), 0.5)
    with listening(lambda *now: told.append(now)):
        codes = encoder.encode(grey)
    [latent] = encoder.encode_faces([AlignedFace(to_pictures(grey)[0])])
    assert list(latent.detail) == ["mark"]
    assert float((codes - 0.5).abs().max()) < 0.01
    assert told == [(7, 7)]
    for projector, said in ((lambda: Plain(None, Context(space)), "nothing for optimisation"), (None, "a projector")):
        with pytest.raises(UnsupportedError, match=said):
            OptimizeEncoder(OptimizeOptions(), Context(space, projector=projector))


@torch.no_grad()
def test_the_network_is_torchvisions_with_another_head(weights: dict[str, Tensor]) -> None:
    theirs = import_torchvision().models.resnet50()
    theirs.fc = nn.Linear(2048, LAYERS * DIM)
    theirs.load_state_dict(weights)
    faces = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seen = import_torchvision().transforms.functional.normalize(
        (faces + 1) / 2, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    )
    expected = theirs.eval()(seen).view(2, LAYERS, DIM)
    found = build_resnet(weights, LAYERS, DIM)(faces)
    torch.testing.assert_close(found, expected, atol=1e-3 * float(expected.abs().max()), rtol=0)
    assert float((found[0] - found[1]).abs().max()) > 0.01 * float(found.std())


def test_counters_may_be_missing_and_nothing_else(weights: dict[str, Tensor]) -> None:
    few = {name: tensor for name, tensor in weights.items() if "num_batches" not in name}
    build_resnet(few, LAYERS, DIM)
    for wrong, said in (
        ({n: t for n, t in few.items() if n != "layer3.5.bn2.bias"}, r"layer3\.5\.bn2\.bias is missing"),
        (few | {"layer3.6.conv1.weight": torch.ones(256, 1024, 1, 1)}, r"layer3\.6\.conv1\.weight is unknown"),
        (few | {"fc.bias": torch.ones(3)}, rf"fc\.bias has shape \[3\].*{LAYERS} × {DIM}"),
    ):
        with pytest.raises(CheckpointError, match=said):
            build_resnet(wrong, LAYERS, DIM)


def test_a_checkpoint_becomes_a_pack_whose_guess_is_refined(
    pack: Path, weights: dict[str, Tensor], faces: list[Image]
) -> None:
    guess = load_backbone(pack, encoder_options={"refine": 0})
    assert (guess.pack.description["encoder"], guess.encoder.uses_projector) == ("resnet", False)
    codes = [latent.code for latent in guess.encode(faces)]
    with torch.no_grad():
        expected = build_resnet(weights, LAYERS, DIM)(to_batch(faces, 256))
    torch.testing.assert_close(torch.stack(codes), expected, atol=1e-3, rtol=1e-3)
    refined = load_backbone(pack, encoder_options={"refine": 6, "prior": 0.0})
    assert refined.encoder.uses_projector
    [one], [other] = (backbone.encode(faces[:1]) for backbone in (guess, refined))
    assert away(refined, other, faces[0]) < 0.95 * away(refined, one, faces[0])


def test_codes_may_be_offsets_from_the_average(checkpoint: dict, tmp_path: Path, faces: list[Image]) -> None:
    opts = checkpoint["opts"] | {"start_from_latent_avg": True}
    torch.save(checkpoint | {"opts": opts}, tmp_path / "file.pt")
    folder = import_resnet(tmp_path / "file.pt", tmp_path / "pack", "mine")
    whole = load_backbone(folder, encoder_options={"refine": 0}).encode(faces[:1])[0].code
    tensors = load_file(folder / "resnet.safetensors")
    assert torch.equal(tensors.pop("latent_avg"), checkpoint["latent_avg"])
    with torch.no_grad():
        offsets = build_resnet(tensors, LAYERS, DIM)(to_batch(faces[:1], 256))[0]
    torch.testing.assert_close(whole, offsets + 0.1, atol=1e-3, rtol=1e-3)


def test_weights_can_be_added_to_a_pack_beside_its_own_encoder(
    bare: Path, weights: Mapping[str, Tensor], faces: list[Image], tmp_path: Path
) -> None:
    folder = tmp_path / "packs" / "more"
    folder.mkdir(parents=True)
    for file in bare.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    save_file(dict(weights), tmp_path / "resnet.safetensors")
    code, _, error = here("models", "add", folder, tmp_path / "resnet.safetensors")
    assert code == 0, error
    backbone = load_backbone(folder, encoder="resnet", encoder_options={"refine": 0})
    assert backbone.usable_encoders() == ["optimize", "resnet"]
    assert len(backbone.encode(faces)) == 2


SMALL = (4, DIM)  # layers and dimensions of a generator of 8 px


def stub(**changes: object) -> dict:
    """A file that shows what the importer looks at first, small; tensors by their names, None for none."""
    tensors = {"layer4.2.conv3.weight": torch.ones(1), "fc.weight": torch.ones(4 * DIM, 2048).half()}
    tensors |= {name: changes.pop(name) for name in list(changes) if name in tensors}
    state = {f"net.encoder.{name}": tensor for name, tensor in tensors.items()}
    state |= {f"net.decoder.{name}": tensor for name, tensor in in_rosinalitys_names(toy(8)).items()}
    return {"state_dict": state, "opts": {}} | changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"opts": {"encoder_type": "ResNetW"}}, "type 'ResNetW'.*as ResNet50 alone"),
        ({"fc.weight": torch.ones(1000, 8)}, r"fc\.weight has shape \[1000, 8\].*\[4, 512\].*\[2048, 2048\]"),
        ({"fc.weight": torch.full((9,), torch.nan)}, r"fc\.weight holds NaN"),
        ({"fc.weight": torch.zeros(1).expand(10**12)}, "more|elements"),
        ({"state_dict": {"layer4.2.conv3.weight": torch.ones(1), "fc.weight": torch.ones(1)}}, "and no generator"),
        ({"opts": {"start_from_latent_avg": True}}, "lacks latent_avg"),
        ({}, "tensor bn1.bias is missing"),
    ],
    ids=["type", "head", "NaN", "claimed size", "no generator", "no average", "tensors"],
)
def test_what_does_not_fit_is_said_in_one_sentence(changes: dict, said: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        imported(stub(**changes), tmp_path)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "packs").iterdir()) == []


@pytest.mark.parametrize("named", [None, "resnet", "ResNet-50"])
def test_options_may_name_it_or_be_silent(named: str | None, tmp_path: Path) -> None:
    torch.save(stub(opts={} if named is None else {"encoder_type": named}), tmp_path / "file.pt")
    assert import_resnet(tmp_path / "file.pt", tmp_path / "pack", "mine") == tmp_path / "pack"
    description = open_pack(tmp_path / "pack").description
    assert (description["encoder"], description["layers"], description["dim"]) == ("resnet", *SMALL)


def test_a_pack_that_lost_its_weights_and_options_out_of_range(pack: Path) -> None:
    with pytest.raises(PackError, match=r"has no resnet\.safetensors"):
        ResNetEncoder(OptimizeOptions(), Context(LatentSpace("x", LAYERS, DIM, "ab" * 32)))
    for options in ({"refine": -1}, {"prior": 1}, {"steps": 3}):
        with pytest.raises(OptionError):
            load_backbone(pack, encoder_options=options)
