"""Published checkpoints, imported and run through the public interface, give what their own implementations gave."""

import os
from pathlib import Path

import pytest
import torch
from published_checkpoints import write_e4e, write_nvidia
from recipes import cases, state_dict
from record_references import inputs, kept
from torch import Tensor

from kinblend import Backbone, load_backbone
from kinblend.errors import UnsupportedError
from kinblend.pack_import import default_name, import_pack

IMAGE, MAPPING = 1e-3, 1e-4  # what "the same" means, largest difference of any element

BETWEEN = pytest.param(512, marks=pytest.mark.skipif("SLOW_TESTS" not in os.environ, reason="1024 px shows as much"))
SIZES = [BETWEEN, 1024]


def imported(checkpoint: Path) -> Backbone:
    pack = import_pack(checkpoint, checkpoint.parent, default_name(checkpoint))
    checkpoint.unlink()  # the larger ones take a gigabyte
    return load_backbone(pack.folder)


def assert_same(found: Tensor, recorded: Tensor, most: float) -> None:
    torch.testing.assert_close(found, recorded, atol=most, rtol=0)


@pytest.fixture(scope="module")
def e4e_256(e4e_pack: Path) -> Backbone:
    return load_backbone(e4e_pack)


@pytest.fixture(scope="module")
def ada_64(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    path = tmp_path_factory.mktemp("packs") / "ada-64.pkl"
    write_nvidia(path, state_dict("stylegan2_ada_64"))
    return imported(path)


@torch.inference_mode()
def test_encoder4editing_at_256(e4e_256: Backbone) -> None:
    case, projector = cases("e4e_256"), e4e_256.projector
    codes = e4e_256.encoder.encode(case["input"])
    assert_same(codes, case["w_plus"], IMAGE)
    assert_same(codes - case["latent_avg"], case["encoder_codes"], IMAGE)
    assert_same(projector.synthesize(case["w_plus"][:1], noise="const"), case["image"], IMAGE)
    mapped = projector.map(case["z"])
    assert_same(mapped, case["mapped_w"][:, None].expand(-1, 14, -1), MAPPING)
    assert_same(projector.map(case["z"][:1], 0.7), case["truncation07_latent"], MAPPING)
    assert_same(projector.synthesize(case["truncation07_latent"]), case["truncation07_image"], IMAGE)


@torch.inference_mode()
def test_nvidia_at_64(ada_64: Backbone) -> None:
    case, projector = cases("stylegan2_ada_64"), ada_64.projector
    assert_same(projector.map(case["z"]), case["ws"], MAPPING)
    assert_same(projector.map(case["z"], 0.7), case["ws_psi07"], MAPPING)
    for noise in ("const", "none"):
        assert_same(projector.synthesize(case["w_plus"][:1], noise=noise), case[f"image_{noise}"], IMAGE)


@pytest.mark.slow  # 270 million weights are made, imported and run
@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_encoder4editing_at_larger_sizes(size: int, tmp_path: Path) -> None:
    name = f"e4e_{size}"
    case, average = cases(name), inputs(name, "latent_avg", [16 + 2 * (size == 1024), 512]) * 0.3
    path = tmp_path / f"{size}.pt"
    write_e4e(path, state_dict(name), average)
    backbone = imported(path)
    codes = backbone.encoder.encode(inputs(name, "input", [1, 3, 256, 256]).clamp(-1, 1))
    assert_same(codes, case["encoder_codes"] + average, IMAGE)
    for part, found in kept(backbone.projector.synthesize(case["encoder_codes"] + average)).items():
        assert_same(found, case[f"image_{part}"], IMAGE)
    assert_same(backbone.projector.map(inputs(name, "z", [2, 512]))[:, 0], case["mapped_w"], MAPPING)


@pytest.mark.slow  # 30 million weights are made, imported and run
@pytest.mark.parametrize("size", SIZES)
@torch.inference_mode()
def test_nvidia_at_larger_sizes(size: int, tmp_path: Path) -> None:
    name = f"stylegan2_ada_{size}"
    case, path = cases(name), tmp_path / f"{size}.pkl"
    write_nvidia(path, state_dict(name))
    projector = imported(path).projector
    z, codes = inputs(name, "z", [2, 512]), inputs(name, "w_plus", [1, projector.space.layers, 512])
    assert_same(projector.map(z), case["ws"], MAPPING)
    assert_same(projector.map(z, 0.7), case["ws_psi07"], MAPPING)
    noises = ("const", "none") if "SLOW_TESTS" in os.environ else ("const",)  # at 64 px both are shown
    for noise in noises:
        for part, found in kept(projector.synthesize(codes, noise=noise)).items():
            assert_same(found, case[f"image_{noise}_{part}"], IMAGE)


@torch.inference_mode()
def test_random_noise_is_drawn_from_its_seed(ada_64: Backbone) -> None:
    code = cases("stylegan2_ada_64")["w_plus"][:1]
    first, again, other = (ada_64.projector.synthesize(code, noise="random", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert float((first - other).abs().max()) > 0.01


@torch.inference_mode()
def test_a_picture_does_not_depend_on_its_neighbours(ada_64: Backbone) -> None:
    codes = cases("stylegan2_ada_64")["w_plus"]
    batch = ada_64.projector.synthesize(codes, noise="random", seed=3)
    assert_same(batch[1:], ada_64.projector.synthesize(codes[1:], noise="random", seed=3), 1e-4)


def test_a_generator_alone_says_that_it_has_no_encoder(ada_64: Backbone) -> None:
    with pytest.raises(UnsupportedError, match="has no encoder"):
        _ = ada_64.encoder


def test_gradients_reach_the_codes(ada_64: Backbone) -> None:
    codes = cases("stylegan2_ada_64")["w_plus"][:1].clone().requires_grad_()
    ada_64.projector.synthesize(codes).square().mean().backward()
    assert codes.grad is not None
    assert bool((codes.grad.abs().sum(dim=2) > 0).all())
