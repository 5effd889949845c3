"""HyperStyle beside a plain reading of its paper's networks and of its generator's changed convolutions.

ResNet-34 is torchvision's, the body of the W encoder that of encoder4editing, which has recorded outputs."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from published_checkpoints import in_rosinalitys_names, toy
from torch import Tensor

from kinblend import Backbone, DevicePool, Latent, load_backbone
from kinblend.errors import CheckpointError
from kinblend.imaging import to_pictures
from kinblend.interfaces import TunesWeights
from kinblend.inversion import weight_changes
from kinblend.pack_import import import_pack
from kinblend_plugins.e4e.hyperstyle_network import BlockShape, HyperStyleNetworks
from kinblend_plugins.e4e.network import Encoder4Editing
from kinblend_plugins.package_shims import import_torchvision

SIZE, LAYERS, WIDTH, DIM = 8, 4, 4, 6
FACES = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1
# In the order in which the generator draws: convolution, colours, convolution, convolution, colours.
BLOCKS = {
    0: BlockShape("shared", 8, DIM, 0),
    1: BlockShape("colours", 8, 16, 3 * WIDTH),
    2: BlockShape("shared", 8, DIM, 0),
    3: BlockShape("own", 8, 16, WIDTH * WIDTH),
}


@cache
def weights() -> dict[str, Tensor]:
    """Weights under which changes stay small and depend on everything; normalisations that have seen something."""
    source = torch.Generator().manual_seed(4)
    with torch.device("meta"):
        network = HyperStyleNetworks(BLOCKS, (DIM, WIDTH, WIDTH))
    found = {}
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            found[name] = torch.tensor(1)
        elif name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            found[name] = 0.5 + torch.rand(tensor.shape, generator=source)
        elif tensor.ndim == 1:
            found[name] = 0.1 * torch.randn(tensor.shape, generator=source)
        elif "shared_weight_hypernet" in name:
            found[name] = 0.3 * torch.randn(tensor.shape, generator=source)
        else:
            gain = 0.05 if ".body." in name else 2.0  # residual blocks add up
            scale = 1.0 if name.endswith("linear.weight") else (gain / tensor[0].numel()) ** 0.5
            found[name] = scale * torch.randn(tensor.shape, generator=source)
    return found


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    yield
    weights.cache_clear()


def write(path: Path, tensors: Mapping[str, Tensor] | None = None, apart: bool = True, **opts: object) -> Path:
    """A checkpoint as published: each shared block lists the shared network again; the W encoder in its own file."""
    tensors = weights() if tensors is None else tensors
    own = {name: tensor for name, tensor in tensors.items() if not name.startswith("w_encoder.")}
    shared = [name for name in own if "shared_weight_hypernet" in name]
    for block in ("hypernet.refinement_blocks.0.hypernet", "hypernet.refinement_blocks.2.hypernet"):
        own |= {f"{block}.{name.rpartition('.')[2]}": own[name] for name in shared}
    own |= {f"decoder.{name}": tensor for name, tensor in in_rosinalitys_names(toy(SIZE, WIDTH)).items()}
    encoder = {name: tensor for name, tensor in tensors.items() if name.startswith("w_encoder.")}
    if apart:
        published = {name.replace("w_encoder.", "encoder."): tensor for name, tensor in encoder.items()}
        torch.save({"state_dict": published, "opts": {"encoder_type": "WEncoder"}}, path.with_name("our_w.pt"))
    else:
        own |= encoder
    opts = {"encoder_type": "SharedWeightsHyperNetResNet", "n_iters_per_batch": 2, **opts}
    opts["w_encoder_checkpoint_path"] = "pretrained/our_w.pt"
    torch.save({"state_dict": own, "latent_avg": torch.full((LAYERS, 512), 0.1), "opts": opts}, path)
    return path


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = tmp_path_factory.mktemp("hyperstyle")
    pack = import_pack(write(folder / "hyperstyle.pt"), folder / "packs", "hyperstyle-toy")
    assert pack.description["encoder"] == "hyperstyle"
    return load_backbone(pack.folder)


@torch.no_grad()
def plain_w(faces: Tensor) -> Tensor:
    body = Encoder4Editing(LAYERS, False).eval()
    known = {name.removeprefix("w_encoder."): tensor for name, tensor in weights().items() if "w_encoder." in name}
    body.load_state_dict({name: tensor for name, tensor in known.items() if "linear" not in name}, strict=False)
    pooled = body.features(faces)[0].mean((2, 3))
    return pooled @ (known["linear.weight"] / 512**0.5).T + known["linear.bias"] + 0.1


@torch.no_grad()
def plain_changes(images: Tensor) -> list[Tensor]:
    """Of the first four weights, [O, I, k, k], for one face beside its reconstruction."""
    tensors = {name.removeprefix("hypernet."): tensor for name, tensor in weights().items() if "hypernet." in name}
    theirs = import_torchvision().models.resnet34()
    body = torch.nn.Sequential(*theirs.layer1, *theirs.layer2, *theirs.layer3, *theirs.layer4)
    body.load_state_dict({n.removeprefix("body."): t for n, t in tensors.items() if n.startswith("body.")})
    norm = [tensors[f"bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    first = F.batch_norm(F.conv2d(images, tensors["conv1.weight"], stride=2, padding=3), *norm)
    x = body.eval()(F.prelu(first, tensors["relu.weight"]))

    def convolved(number: int, strides: list[int]) -> Tensor:
        y = x
        for place, stride in enumerate(strides):
            name = f"refinement_blocks.{number}.convs.{2 * place}"
            y = F.leaky_relu(F.conv2d(y, tensors[f"{name}.weight"], tensors[f"{name}.bias"], stride, 1), 0.01)
        return y

    def shared(number: int) -> Tensor:
        name = f"refinement_blocks.{number}.linear"
        z = convolved(number, [1, 2, 2, 2, 2])[0, :, 0, 0]
        z = tensors[f"{name}.weight"] @ z / DIM**0.5 + tensors[f"{name}.bias"]
        w1, b1, w2, b2 = (tensors[f"shared_weight_hypernet.{part}"] for part in ("w1", "b1", "w2", "b2"))
        rows = [z @ w2[:, DIM * row : DIM * (row + 1)] + b2[DIM * row : DIM * (row + 1)] for row in range(WIDTH)]
        return torch.cat([row @ w1 + b1 for row in rows]).reshape(WIDTH, WIDTH, 3, 3)

    def ended(number: int, strides: list[int], place: int) -> Tensor:
        name = f"refinement_blocks.{number}.output.{place}"
        weight, bias = tensors[f"{name}.weight"][:, :, 0, 0], tensors[f"{name}.bias"]
        return weight @ convolved(number, strides)[0].mean((1, 2)) + bias

    own = ended(3, [2, 2, 2], 1).reshape(WIDTH, WIDTH, 1, 1).expand(-1, -1, 3, 3)
    return [shared(0), ended(1, [2, 2, 2, 2], 0).reshape(3, WIDTH, 1, 1), shared(2), own]


@torch.no_grad()
def plain_picture(code: Tensor, changes: list[Tensor] | None) -> Tensor:
    """Of a generator whose weights were changed for good."""
    generator = toy(SIZE, WIDTH)
    if changes is not None:
        weights = [generator.styled[0].weight, generator.to_rgb[0].weight]
        weights += [generator.styled[1].weight, generator.styled[2].weight]
        for weight, change in zip(weights, changes, strict=True):
            weight.mul_(1 + change)
    return generator.layered(code[None], [conv.noise for conv in generator.styled])


def test_each_pass_changes_the_weights_by_what_the_reconstruction_lacks(backbone: Backbone) -> None:
    code = plain_w(FACES[:1])[0].expand(LAYERS, -1)
    changes, seen = None, []
    for _ in range(2):
        picture = plain_picture(code, changes)
        new = plain_changes(torch.cat([FACES[:1], F.interpolate(picture, scale_factor=32)], 1))
        changes = new if changes is None else [one + other for one, other in zip(changes, new, strict=True)]
        seen.append(picture)
    assert changes is not None
    assert float((seen[0] - seen[1]).abs().max()) > 1e-2  # the second pass looks at another picture
    [latent] = backbone.encode([exact(FACES[0])])
    assert float((latent.code - code).abs().max()) < 1e-3
    found = weight_changes(latent)
    names = ["convs.0.weight", "colours.0.weight", "convs.1.weight", "convs.2.weight"]
    assert sorted(found) == sorted(names)
    for name, expected in zip(names, changes, strict=True):
        assert float(expected.std()) > 1e-2
        torch.testing.assert_close(found[name].float().expand_as(expected), expected, atol=2e-3, rtol=2e-3)
    assert isinstance(backbone.projector, TunesWeights)
    drawn = backbone.projector.synthesize_latent(latent)
    torch.testing.assert_close(drawn, plain_picture(code, changes), atol=1e-2, rtol=1e-2)


def exact(face: Tensor) -> object:
    """A picture of a face; and what the networks see of it then is put in the face's place."""
    from kinblend.imaging import to_batch

    [picture] = to_pictures(face[None])
    face.copy_(to_batch([picture], 256)[0])
    return picture


def test_from_two_faces_to_a_child(backbone: Backbone) -> None:
    father, mother = backbone.encode(to_pictures(FACES))
    first, second = weight_changes(father), weight_changes(mother)
    assert any(float((first[name] - second[name]).abs().max()) > 1e-3 for name in first)
    plain = Latent(father.code, father.space)
    assert backbone.render([father])[0].tobytes() != backbone.render([plain])[0].tobytes()
    once = load_backbone(backbone.pack.folder, encoder_options={"passes": 1}).encode(to_pictures(FACES[:1]))[0]
    assert float((weight_changes(once)["convs.0.weight"] - first["convs.0.weight"]).abs().max()) > 1e-3


def test_half_precision_gives_nearly_the_same(backbone: Backbone) -> None:
    [exact] = backbone.encode(to_pictures(FACES[:1]))
    rounded = load_backbone(backbone.pack.folder, DevicePool(precision="bf16"))
    [near] = rounded.encode(to_pictures(FACES[:1]))
    assert float((near.code - exact.code).abs().mean()) < 0.05 * float(exact.code.std())
    for name, change in weight_changes(exact).items():
        away = (weight_changes(near)[name] - change).float()
        assert float(away.abs().mean()) < 0.1 * float(change.float().abs().mean()) + 5e-3, name


def test_the_w_encoder_may_be_in_the_same_file(tmp_path: Path, backbone: Backbone) -> None:
    pack = import_pack(write(tmp_path / "one.pt", apart=False), tmp_path / "packs", "one")
    [here] = load_backbone(pack.folder).encode(to_pictures(FACES[:1]))
    [there] = backbone.encode(to_pictures(FACES[:1]))
    assert torch.equal(here.code, there.code)


def test_what_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "apart").mkdir()
    path = write(tmp_path / "apart" / "lacking.pt")
    path.with_name("our_w.pt").unlink()
    with pytest.raises(CheckpointError, match=r"our_w\.pt beside it"):
        import_pack(path, tmp_path / "packs", "no-encoder")
    other = write(tmp_path / "other.pt", encoder_type="SharedWeightsHyperNetResNetSeparable")
    with pytest.raises(CheckpointError, match="Separable"):
        import_pack(other, tmp_path / "packs", "separable")
    for name in ("hypernet.refinement_blocks.0.convs.2.bias", "hypernet.shared_weight_hypernet.b1"):
        tensors = {key: tensor for key, tensor in weights().items() if key != name}
        with pytest.raises(CheckpointError, match=name.rpartition("hypernet.")[2].replace(".", r"\.")):
            import_pack(write(tmp_path / "cut.pt", tensors), tmp_path / "packs", f"cut-{len(name)}")


def test_a_generator_of_other_widths_is_refused(tmp_path: Path) -> None:
    tensors = dict(weights())
    name = "hypernet.refinement_blocks.3.output.1"
    tensors |= {f"{name}.weight": torch.ones(9, 16, 1, 1), f"{name}.bias": torch.ones(9)}
    pack = import_pack(write(tmp_path / "wide.pt", tensors), tmp_path / "packs", "wide")
    with pytest.raises(CheckpointError, match="changes weight 3 by 9 numbers"):
        load_backbone(pack.folder).encode(to_pictures(FACES[:1]))
