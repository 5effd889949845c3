"""Latents on disk: the same bytes every time, and every kind of damage refused by name."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinblend import Latent, LatentSpace, WeightMap, load_latent, save_latent
from kinblend.errors import CorruptFileError, LatentShapeError, LatentSpaceError, NonFiniteError
from kinblend.latents import load_weight_map, save_weight_map


def test_a_latent_comes_back_as_it_was(tmp_path: Path, latent: Latent) -> None:
    save_latent(tmp_path / "a.safetensors", latent)
    back = load_latent(tmp_path / "a.safetensors", latent.space)
    assert torch.equal(back.code, latent.code)
    assert torch.equal(back.detail["residual"], latent.detail["residual"])
    assert back.space == latent.space


def test_the_same_latent_gives_the_same_bytes(tmp_path: Path, latent: Latent) -> None:
    for name in "ab":
        save_latent(tmp_path / name, latent)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_weight_map_comes_back_as_it_was(tmp_path: Path, space: LatentSpace) -> None:
    weights = WeightMap(torch.rand(space.layers, space.dim), space)
    save_weight_map(tmp_path / "w.safetensors", weights)
    assert torch.equal(load_weight_map(tmp_path / "w.safetensors").values, weights.values)


def test_a_weight_map_is_found_in_the_file_of_the_latent_it_made(tmp_path: Path, latent: Latent) -> None:
    weights = WeightMap(torch.rand(latent.code.shape), latent.space)
    save_latent(tmp_path / "child.safetensors", latent, weights)
    assert torch.equal(load_weight_map(tmp_path / "child.safetensors", latent.space).values, weights.values)
    save_latent(tmp_path / "parent.safetensors", latent)
    with pytest.raises(CorruptFileError, match="without a weight map"):
        load_weight_map(tmp_path / "parent.safetensors")


def test_a_folder_is_no_latent(tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="is a folder"):
        load_latent(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_refused(tmp_path: Path, latent: Latent, data: st.DataObject) -> None:
    path = tmp_path / "flipped.safetensors"
    save_latent(path, latent)
    content = bytearray(path.read_bytes())
    # Half of the flips go to the header, which is a small part of the file.
    limit = data.draw(st.sampled_from([600, len(content)]))
    position, bit = data.draw(st.integers(0, limit - 1)), data.draw(st.integers(0, 7))
    content[position] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises((CorruptFileError, NonFiniteError)):
        load_latent(path)


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 100, 5000])
def test_a_truncated_file_is_refused(tmp_path: Path, latent: Latent, cut: int) -> None:
    path = tmp_path / "cut.safetensors"
    save_latent(path, latent)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(CorruptFileError):
        load_latent(path)


def test_another_latent_space_is_refused(tmp_path: Path, latent: Latent) -> None:
    save_latent(tmp_path / "a.safetensors", latent)
    with pytest.raises(LatentSpaceError, match="; encode the photograph again"):
        load_latent(tmp_path / "a.safetensors", replace(latent.space, sha256="cd" * 32))
    other = replace(latent.space, backbone="another", sha256="cd" * 32)
    with pytest.raises(LatentSpaceError, match=f"take the backbone '{latent.space.backbone}', or encode"):
        load_latent(tmp_path / "a.safetensors", other)


def test_a_weight_map_is_no_latent(tmp_path: Path, space: LatentSpace) -> None:
    save_weight_map(tmp_path / "w.safetensors", WeightMap(torch.zeros(space.layers, space.dim), space))
    with pytest.raises(CorruptFileError, match="not a latent"):
        load_latent(tmp_path / "w.safetensors")


def test_nan_is_refused(tmp_path: Path, latent: Latent) -> None:
    broken = latent.code.clone()
    broken[0, 0] = float("nan")
    with pytest.raises(NonFiniteError):
        Latent(broken, latent.space)
    with pytest.raises(NonFiniteError, match="residual"):
        save_latent(tmp_path / "n", replace(latent, detail={"residual": torch.tensor([float("inf")])}))


def test_a_wrong_shape_or_dtype_is_refused(latent: Latent) -> None:
    with pytest.raises(LatentShapeError, match=r"\[6, 512\]"):
        Latent(latent.code[:3], latent.space)
    with pytest.raises(LatentShapeError, match="float64"):
        Latent(latent.code.double(), latent.space)


def test_a_weight_map_outside_its_range_is_refused(space: LatentSpace) -> None:
    with pytest.raises(LatentShapeError, match=r"\[0, 1\]"):
        WeightMap(torch.full((space.layers, space.dim), 1.5), space)
