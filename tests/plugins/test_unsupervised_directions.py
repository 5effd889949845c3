"""Directions without labels: planted axes are found, for made-up generators and for networks."""

import shutil
from pathlib import Path

import pytest
import torch
from openvino_files import WHEEL, write_wheel
from plugin_site import here
from published_checkpoints import in_nvidias_names, toy, write_nvidia
from safetensors import safe_open
from torch import Tensor
from torch.nn import functional as F

from kinblend import Context, LatentSpace, load_backbone
from kinblend.backbone import make_plugin
from kinblend.errors import UnsupportedError, UsageError
from kinblend.interfaces import HasStyleWeights
from kinblend.pack_import import import_pack
from kinblend.plugins import load_plugins
from kinblend_plugins.interfacegan.layer_option import layer_slice
from kinblend_plugins.interfacegan.training.unsupervised import (
    closed_form_factors,
    principal_components,
    write_found,
)

DIM, LAYERS = 8, 5
SPACE = LatentSpace("toy", LAYERS, DIM, "ab" * 32)
SPREADS = torch.tensor([0.5, 3.0, 1.0, 0.2, 2.0, 0.1, 0.1, 0.1])


class Drawing:
    """A generator whose codes spread along the axes by SPREADS."""

    title, space = "projector 'drawing'", SPACE

    def map(self, z: Tensor, psi: float = 1.0) -> Tensor:
        return (z * SPREADS)[:, None].expand(-1, LAYERS, -1)

    def average(self) -> Tensor:
        return torch.zeros(LAYERS, DIM)


class Styled:
    """A generator whose first layers hear dimension 6 and whose others hear dimension 2."""

    title, space = "projector 'styled'", SPACE

    def style_weights(self) -> list[Tensor]:
        loud = [6, 6, 2, 2, 2]
        return [torch.eye(DIM) + 4 * F.one_hot(torch.tensor([one] * 3), DIM).sum(0).diag().float() for one in loud]


def test_ganspace_finds_the_axes_that_codes_spread_along() -> None:
    found = principal_components(Drawing(), 3, 20_000, seed=0)
    assert found.steps.abs().argmax(1).tolist() == [1, 4, 2]
    torch.testing.assert_close(found.steps.norm(dim=1), torch.tensor([3.0, 2.0, 1.0]), rtol=0.05, atol=0)
    assert found.shares.tolist() == sorted(found.shares.tolist(), reverse=True)
    assert float(found.shares[0]) == pytest.approx(9 / float(SPREADS.square().sum()), abs=0.02)
    assert bool((found.steps.gather(1, found.steps.abs().argmax(1, keepdim=True)) > 0).all())


@pytest.mark.parametrize(("layers", "loudest"), [((0, 1), 6), ((2, 4), 2)])
def test_sefa_finds_what_the_layers_hear_most(layers: tuple[int, int], loudest: int) -> None:
    found = closed_form_factors(Styled(), 2, layer_slice(layers, SPACE, dict))
    assert int(found.steps[0].abs().argmax()) == loudest
    assert float(found.steps[0].norm()) == pytest.approx(1)
    assert float(found.shares[0]) > float(found.shares[1])


def test_what_a_generator_lacks_is_said() -> None:
    with pytest.raises(UnsupportedError, match="draws no codes"):
        principal_components(Styled(), 1, 100, 0)
    with pytest.raises(UnsupportedError, match="no style weights"):
        closed_form_factors(Drawing(), 1, slice(0, 1))
    with pytest.raises(UsageError, match="layers 0 to 4"):
        layer_slice((3, 5), SPACE, dict)


def test_the_file_is_read_by_the_editor_and_moves_only_its_layers(tmp_path: Path) -> None:
    found = principal_components(Drawing(), 2, 2000, seed=0)
    lines = write_found(tmp_path / "d.safetensors", found, SPACE, slice(1, 3), "GANSpace")
    assert lines[0].startswith("component-1: ") and lines[0].endswith("of the variance of codes")
    context = Context(SPACE, {"directions.safetensors": tmp_path / "d.safetensors"})
    editor = make_plugin("editor", "interfacegan", context)
    assert list(editor.attributes()) == ["component-1", "component-2"]
    assert editor.attributes()["component-1"].startswith("GANSpace, ")
    moved = editor.edit(torch.zeros(1, LAYERS, DIM), {"component-2": -2.0})[0]
    torch.testing.assert_close(moved[1], -2 * found.steps[1])
    assert moved[[0, 3, 4]].abs().max() == 0


@pytest.fixture(scope="module")
def mobilestylegan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mobile")
    return import_pack(write_wheel(folder / WHEEL), folder / "packs", "mine").folder


@pytest.fixture(scope="module")
def stylegan2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generator")
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(32)))
    return import_pack(folder / "net.pkl", folder / "packs", "toy").folder


@pytest.mark.parametrize("generator", ["stylegan2", "mobilestylegan"])
def test_style_weights_are_those_that_pictures_follow_from(generator: str, request: pytest.FixtureRequest) -> None:
    """A change of w that no layer's weights hear changes no picture; one that they hear does."""
    projector = load_backbone(request.getfixturevalue(generator)).projector
    assert isinstance(projector, HasStyleWeights)
    weights = projector.style_weights()
    assert len(weights) == projector.space.layers
    assert all(weight.shape[1] == projector.space.dim for weight in weights)
    codes = projector.average()[None].clone()
    plain = projector.synthesize(codes)
    for layer in (0, 3, len(weights) - 1):
        heard = torch.linalg.svd(weights[layer], full_matrices=True).Vh
        unheard = [] if len(weights[layer]) >= heard.shape[1] else [heard[-1]]
        for axis in (heard[0], *unheard):
            moved = codes.clone()
            moved[0, layer] += 3 * axis
            changed = float((projector.synthesize(moved) - plain).abs().max())
            assert (changed < 1e-4) is any(axis is one for one in unheard)


@pytest.mark.parametrize("name", ["ganspace", "sefa"])
def test_the_trainers_write_directions_of_a_backbone(name: str, stylegan2: Path, tmp_path: Path) -> None:
    spec = load_plugins()["trainer"].get(name)
    said: list[str] = []
    options = spec.parse_options({"backbone": str(stylegan2), "count": 3, "layers": [0, 3]})
    out = spec.load()(options, tmp_path / "d.safetensors", said.append)
    with safe_open(out, framework="pt") as file:
        names = sorted(file.keys())
        steps = torch.stack([file.get_tensor(name) for name in names])
    assert names == ["component-1", "component-2", "component-3"]
    assert len(said) == 4
    assert sorted(path.stem for path in (tmp_path / "d").glob("*.png")) == names
    assert steps[:, 4:].abs().max() == 0
    assert bool((steps[:, 0].norm(dim=1) > 0.01).all())


def test_whoever_would_lose_a_file_of_the_pack_is_told(stylegan2: Path, tmp_path: Path) -> None:
    pack, out = tmp_path / "pack", tmp_path / "factors.safetensors"
    shutil.copytree(stylegan2, pack)
    words = ["train", "directions", "sefa", "--backbone", pack, "--count", 1, "--layers", "coarse", "--no-strips"]
    added = f"`kinblend models add {pack} {out} --as directions.safetensors`"
    for said in (
        f"put them into the pack with {added}",
        f"has a directions.safetensors already; {added} would replace",
    ):
        code, _, error = here(*words, "--out", out)
        assert (code, said in error) == (0, True), error
        assert f"--set editor.directions.NAME={out} --edit NAME=2" in error
        assert here("models", "add", pack, out, "--as", "directions.safetensors")[0] == 0


@pytest.mark.parametrize(
    ("layers", "found"),
    [("0-2", (0, 3)), ("4", (4, 5)), ("shape", (0, 2)), ("Fine-Details", (2, 5)), ("middle", (2, 5))],
)
def test_layers_by_range_number_and_group(layers: str, found: tuple[int, int]) -> None:
    groups = {"shape": (0, 1), "fine details": (2, 4)}
    assert layer_slice(layers, SPACE, lambda: groups) == slice(*found)
    for wrong in ("3-9", "hair"):
        with pytest.raises(UsageError, match="or shape, fine details"):
            layer_slice(wrong, SPACE, lambda: groups)
