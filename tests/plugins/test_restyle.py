"""ReStyle beside a plain reading of its papers' networks: its heads and passes written here once more, its ResNet-34
torchvision's, the body of its other network that of encoder4editing, which has recorded outputs."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from published_checkpoints import in_rosinalitys_names, toy
from torch import Tensor, nn

from kinblend import Backbone, load_backbone
from kinblend.errors import CheckpointError, UsageError
from kinblend.pack_import import import_pack
from kinblend_plugins.e4e.network import Encoder4Editing
from kinblend_plugins.e4e.restyle_network import ResNetEncoder, SquareEncoder, build_restyle
from kinblend_plugins.package_shims import import_torchvision

SIZE, LAYERS = 8, 4
FACES = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
KINDS = {  # encoder_type → whether its heads give offsets
    "BackboneEncoder": False,
    "ProgressiveBackboneEncoder": True,
    "ResNetBackboneEncoder": False,
    "ResNetProgressiveBackboneEncoder": True,
}


def made_up(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """Weights under which codes stay small and depend on everything; normalisations that have seen something."""
    source = torch.Generator().manual_seed(seed)
    found = {}
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(1)
        elif name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            found[name] = 0.5 + torch.rand(tensor.shape, generator=source)
        elif tensor.ndim == 1:
            found[name] = 0.1 * torch.randn(tensor.shape, generator=source)
        else:
            drawn = torch.randn(tensor.shape, generator=source)
            gain = 0.05 if name.startswith("body.") else 2.0  # residual blocks add up
            scale = 1.0 if name.endswith("linear.weight") else (gain / tensor[0].numel()) ** 0.5
            found[name] = scale * drawn
    return found


@pytest.fixture(scope="module")
def weights() -> dict[bool, dict[str, Tensor]]:
    """By whether they are of a ResNet-34."""
    with torch.device("meta"):
        networks = {True: ResNetEncoder(LAYERS, False), False: SquareEncoder(LAYERS, False)}
    return {resnet: made_up(network, 1) for resnet, network in networks.items()}


@pytest.fixture(scope="module")
def generator() -> dict[str, Tensor]:
    return in_rosinalitys_names(toy(SIZE, 3))


def plain_heads(x: Tensor, tensors: Mapping[str, Tensor], offsets: bool) -> Tensor:
    """Four convolutions of stride 2, each with a leaky ReLU, and a linear layer of weights over √512."""
    codes = []
    for layer in range(LAYERS):
        y = x
        for place in (0, 2, 4, 6):
            name = f"styles.{layer}.convs.{place}"
            y = F.leaky_relu(F.conv2d(y, tensors[f"{name}.weight"], tensors[f"{name}.bias"], 2, 1), 0.01)
        weight, bias = (tensors[f"styles.{layer}.linear.{part}"] for part in ("weight", "bias"))
        codes.append(y.flatten(1) @ (weight / 512**0.5).T + bias)
    result = torch.stack(codes, 1)
    if offsets:
        result = torch.cat([result[:, :1], result[:, :1] + result[:, 1:]], 1)
    return result


@torch.no_grad()
def plain_map(x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
    """The last feature map, [n, 512, 16, 16]."""
    if "conv1.weight" in tensors:
        theirs = import_torchvision().models.resnet34()
        blocks = nn.Sequential(*theirs.layer1, *theirs.layer2, *theirs.layer3, *theirs.layer4)
        blocks.load_state_dict({n.removeprefix("body."): t for n, t in tensors.items() if n.startswith("body.")})
        first = F.conv2d(x, tensors["conv1.weight"], stride=2, padding=3)
        norm = [tensors[f"bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        result: Tensor = blocks.eval()(F.prelu(F.batch_norm(first, *norm), tensors["relu.weight"]))
        return result
    body = Encoder4Editing(LAYERS, False, channels=6).eval()
    known = {name: tensor for name, tensor in tensors.items() if not name.startswith("styles.")}
    body.load_state_dict(known, strict=False)
    return body.features(x)[0]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_network_is_that_of_the_paper(kind: str, weights: dict[bool, dict[str, Tensor]]) -> None:
    tensors, offsets = weights["ResNet" in kind], KINDS[kind]
    six = torch.cat([FACES[:1], FACES[1:]], 1)
    network = build_restyle(tensors, LAYERS, offsets)
    found, expected = network(six), plain_heads(plain_map(six, tensors), tensors, offsets)
    assert float((found - expected).abs().max()) < 1e-3
    assert float(expected.std()) > 0.01


def write(path: Path, kind: str | None, encoder: Mapping[str, Tensor], generator: Mapping[str, Tensor]) -> Path:
    state = {f"encoder.{name}": tensor for name, tensor in encoder.items()}
    state |= {f"decoder.{name}": tensor for name, tensor in generator.items()}
    opts = {"n_iters_per_batch": 3, "input_nc": 6} | ({} if kind is None else {"encoder_type": kind})
    torch.save({"state_dict": state, "latent_avg": torch.full((LAYERS, 512), 0.1), "opts": opts}, path)
    return path


@pytest.fixture(scope="module")
def backbone(
    tmp_path_factory: pytest.TempPathFactory, weights: dict[bool, dict[str, Tensor]], generator: dict[str, Tensor]
) -> Backbone:
    """Imported from a checkpoint as published, on ResNet-34."""
    folder = tmp_path_factory.mktemp("restyle")
    path = write(folder / "restyle.pt", "ResNetProgressiveBackboneEncoder", weights[True], generator)
    pack = import_pack(path, folder / "packs", "restyle-toy")
    assert pack.description["encoder"] == "restyle"
    assert pack.settings["offsets"] is True
    return load_backbone(pack.folder)


@torch.no_grad()
def test_each_pass_sees_the_face_beside_its_reconstruction(
    backbone: Backbone, weights: dict[bool, dict[str, Tensor]]
) -> None:
    tensors, codes = weights[True], torch.full((2, LAYERS, 512), 0.1)
    for _ in range(3):
        shown = backbone.projector.synthesize(codes, noise="const")
        shown = F.interpolate(shown, scale_factor=32)  # what averaging does to a picture that is smaller
        codes = codes + plain_heads(plain_map(torch.cat([FACES, shown], 1), tensors), tensors, True)
    found = backbone.encoder.encode(FACES)
    assert float((found - codes).abs().max()) < 1e-3
    assert float((found[0] - found[1]).abs().max()) > 5e-3  # it looks at the face
    again = load_backbone(backbone.pack.folder, encoder_options={"passes": 1}).encoder.encode(FACES)
    assert float((found - again).abs().max()) > 1e-2  # and at its reconstruction


def test_from_a_face_to_a_picture(backbone: Backbone) -> None:
    from kinblend.imaging import to_pictures

    [latent] = backbone.encode(to_pictures(FACES[:1]))
    [picture] = backbone.render([latent])
    assert picture.size == (SIZE, SIZE)
    with pytest.raises(UsageError, match="passes"):
        _ = load_backbone(backbone.pack.folder, encoder_options={"passes": 0}).encoder


@pytest.mark.parametrize(
    ("kind", "said"),
    [(None, "name no encoder_type"), ("Encoder4Editing", "'Encoder4Editing'"), ("ResNetGradualStyleEncoder", "six")],
)
def test_six_channels_need_a_name(kind: str | None, said: str, tmp_path: Path, generator: dict[str, Tensor]) -> None:
    encoder = {"input_layer.0.weight": torch.ones(64, 6, 3, 3), "styles.0.linear.weight": torch.ones(4, 4)}
    with pytest.raises(CheckpointError, match=said):
        import_pack(write(tmp_path / "six.pt", kind, encoder, generator), tmp_path / "packs", "six")


def test_a_tensor_that_is_missing_is_named(weights: dict[bool, dict[str, Tensor]]) -> None:
    tensors = {name: tensor for name, tensor in weights[False].items() if name != "body.7.res_layer.1.weight"}
    with pytest.raises(CheckpointError, match=r"body\.7\.res_layer\.1\.weight"):
        build_restyle(tensors, LAYERS, False)
