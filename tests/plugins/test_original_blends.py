"""The strategies give what the functions of the original project gave for the same latents."""

from pathlib import Path

import pytest
import torch
from recipes import DATA, cases, state_dict
from safetensors.torch import save_file
from torch import Tensor

from kinblend import Blend, Context, LatentSpace
from kinblend.backbone import make_plugin
from kinblend.blend import weighted_sum
from kinblend.errors import CheckpointError, WeightsMissingError

CASE = cases("original_blends")
CONTEXT = Context(LatentSpace("test", 18, 512, "0" * 64))
DIMENSIONS = {"50": 0.9, "100": 0.8, "150": 0.7}
LAYERS = {"0": 0.2, "5": 0.5, "10": 0.8}


def blend(name: str, **options: object) -> Blend:
    return make_plugin("blender", name, CONTEXT, options).blend(CASE["father"], CASE["mother"], 0)


def assert_same(found: Tensor, key: str) -> None:
    torch.testing.assert_close(found, CASE[key], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("key", "name", "options"),
    [
        ("avg_0.3_0.7", "average", {"share": 0.3}),
        ("avg_none", "average", {}),
        ("blend_dim_dict", "dimension", {"shares": DIMENSIONS}),
        ("blend_dim_tensor", "dimension", {"shares": CASE["dim_tensor"]}),
        ("blend_layer_dict", "layer", {"shares": LAYERS}),
        ("blend_layer_tensor", "layer", {"shares": CASE["layer_tensor"]}),
    ],
)
def test_a_strategy_of_shares(key: str, name: str, options: dict) -> None:
    found = blend(name, **options)
    assert_same(found.code, key)
    if key.startswith("blend"):
        assert_same(found.weights.values, key.replace("blend", "w1"))


@pytest.mark.parametrize("suffix", [".npy", ".pt", ".safetensors"])
def test_shares_and_masks_from_files(suffix: str, tmp_path: Path) -> None:
    mask, shares = tmp_path / f"mask{suffix}", tmp_path / f"shares{suffix}"
    for path, tensor in ((mask, CASE["mask"]), (shares, CASE["dim_tensor"])):
        if suffix == ".npy":
            import numpy as np

            np.save(path, tensor.numpy())
        elif suffix == ".pt":
            torch.save(tensor, path)
        else:
            save_file({"any": tensor}, path)
    assert_same(blend("mask", file=str(mask)).code, "mask_blend")
    assert_same(blend("dimension", shares=str(shares)).code, "blend_dim_tensor")


@pytest.mark.parametrize("layout", ["safetensors", "original"])
def test_the_weight_network(layout: str, tmp_path: Path) -> None:
    state = state_dict("original_blends")
    path = tmp_path / ("net.safetensors" if layout == "safetensors" else "net.pt")
    if layout == "safetensors":
        save_file(state, path)
    else:
        torch.save({"model_state_dict": {f"model.{key}": value for key, value in state.items()}, "epoch": 3}, path)
    blender = make_plugin("blender", "learned", CONTEXT, {"weights": str(path)})
    for index, (father, mother) in enumerate(zip(CASE["net_father"], CASE["net_mother"], strict=True)):
        found = blender.blend(father, mother, 0)
        torch.testing.assert_close(found.weights.values, CASE["net_weights"][index], atol=1e-5, rtol=0)
        torch.testing.assert_close(found.code, CASE["net_child"][index], atol=1e-5, rtol=0)


def test_a_weight_network_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissingError, match="by its option weights"):
        make_plugin("blender", "learned", CONTEXT)
    state = state_dict("original_blends")
    save_file(state, tmp_path / "net.safetensors")
    other = Context(LatentSpace("other", 14, 512, "0" * 64))
    with pytest.raises(CheckpointError, match="another backbone"):
        make_plugin("blender", "learned", other, {"weights": str(tmp_path / "net.safetensors")})
    del state["encoder.0.bias"]
    save_file(state, tmp_path / "net.safetensors")
    with pytest.raises(CheckpointError, match=r"encoder\.0\.bias is missing"):
        make_plugin("blender", "learned", CONTEXT, {"weights": str(tmp_path / "net.safetensors")})


def test_the_sum_is_the_one_the_original_made() -> None:
    assert_same(weighted_sum(CASE["father"], CASE["mother"], CASE["w1_dim_dict"]), "blend_dim_dict")


@pytest.mark.parametrize("attribute", ["age", "smile"])
def test_an_edit(attribute: str) -> None:
    file = str(DATA / "original_blends" / "directions.safetensors")
    editor = make_plugin("editor", "interfacegan", CONTEXT, {"directions": {attribute: file}})
    assert_same(editor.edit(CASE["father"][None], {attribute: -2.5})[0], f"edit_{attribute}")
