"""Edits move what they name, by the strength given, and leave alone what they must."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kinblend import Context, LatentSpace, load_backbone
from kinblend.backbone import make_plugin
from kinblend.errors import KinblendError, LatentShapeError, PackError, UsageError

SPACE = LatentSpace("test", 10, 512, "0" * 64)
CODES = torch.randn(2, 10, 512, generator=torch.Generator().manual_seed(5))


def editor(**options):
    return make_plugin("editor", "interfacegan", Context(SPACE), options)


@pytest.mark.parametrize("shape", [(512,), (1, 512), (10, 512), (1, 10, 512)])
@pytest.mark.parametrize("suffix", [".pt", ".npy", ".safetensors"])
def test_every_published_format(shape: tuple, suffix: str, tmp_path: Path) -> None:
    direction, path = torch.randn(shape), tmp_path / f"age{suffix}"
    if suffix == ".pt":
        torch.save(direction, path)
    elif suffix == ".npy":
        np.save(path, direction.numpy())
    else:
        save_file({"age": direction, "smile": torch.zeros(512)}, path)
    moved = editor(directions={"age": str(path)}).edit(CODES, {"age": -2.5})
    expected = CODES - 2.5 * direction.reshape(-1, 512)
    torch.testing.assert_close(moved, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("layers", [(2, 4), "2-4"], ids=str)
def test_layers_outside_the_range_stay(layers: object, tmp_path: Path) -> None:
    torch.save(torch.ones(512), tmp_path / "age.pt")
    moved = editor(directions={"age": str(tmp_path / "age.pt")}, layers=layers).edit(CODES, {"age": 1.0})
    changed = [layer for layer in range(10) if not torch.equal(moved[:, layer], CODES[:, layer])]
    assert changed == [2, 3, 4]


def test_a_conditional_edit_leaves_the_kept_attributes(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(6)
    axes = dict(zip(("age", "smile", "gender"), torch.randn(3, 10, 512, generator=generator) + 0.5, strict=True))
    for name, axis in axes.items():
        torch.save(axis, tmp_path / f"{name}.pt")
    files = {name: str(tmp_path / f"{name}.pt") for name in axes}
    moved = editor(directions=files, keep=("smile", "gender")).edit(CODES, {"age": 3.0}) - CODES
    for name in ("smile", "gender"):
        assert abs(float((moved[0] * axes[name]).sum() / axes[name].norm() / moved[0].norm())) < 1e-3
    assert float((moved[0] * axes["age"]).sum()) > 0


def test_a_conditional_edit_of_some_layers_leaves_the_kept_attribute_there(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(7)
    axes = dict(zip(("age", "smile"), torch.randn(2, 10, 512, generator=generator) + 0.5, strict=True))
    for name, axis in axes.items():
        torch.save(axis, tmp_path / f"{name}.pt")
    files = {name: str(tmp_path / f"{name}.pt") for name in axes}
    moved = editor(directions=files, keep=("smile",), layers=(2, 5)).edit(CODES, {"age": 3.0}) - CODES
    assert abs(float((moved[0] * axes["smile"]).sum() / moved[0].norm())) < 1e-2
    assert not moved[:, :2].any() and not moved[:, 6:].any()


def test_packed_directions_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "directions.safetensors").write_bytes(b"junk")
    context = Context(SPACE, {"directions.safetensors": tmp_path / "directions.safetensors"})
    with pytest.raises(PackError, match="no file of directions"):
        make_plugin("editor", "interfacegan", context)


def test_only_what_can_be_read_has_targets(tmp_path: Path) -> None:
    torch.save(torch.ones(512), tmp_path / "gender.pt")
    assert editor(directions={"gender": str(tmp_path / "gender.pt")}).targets() == {}
    ours = make_plugin("editor", "interfacegan", load_backbone("morphable").context)
    assert ours.targets() == {"age": ("years",), "gender": ("female", "male")}


def test_a_word_moves_to_the_mean_of_a_sex_and_no_further_than_needed() -> None:
    ours = make_plugin("editor", "interfacegan", load_backbone("morphable").context)
    codes = torch.zeros(1, ours.space.layers, ours.space.dim)
    strength = ours.strength_for_target(codes[0], "gender", "male", "")
    assert 0.5 < strength < 1.5
    man = ours.edit(codes, {"gender": 2 * strength})[0]
    assert ours.strength_for_target(man, "gender", "male", "") == 0.0
    assert ours.strength_for_target(man, "gender", "female", "") < -strength
    for value, unit in (("blue", ""), (8.0, "years")):
        with pytest.raises(UsageError, match="no target"):
            ours.strength_for_target(man, "gender", value, unit)


def test_errors_are_clear(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no direction 'age'"):
        editor().edit(CODES, {"age": 1})
    torch.save(torch.ones(100), tmp_path / "bad.pt")
    with pytest.raises(LatentShapeError, match=r"\[100\]"):
        editor(directions={"age": str(tmp_path / "bad.pt")})
    (tmp_path / "junk.npy").write_bytes(b"junk")
    with pytest.raises(KinblendError, match="can't be read"):
        editor(directions={"age": str(tmp_path / "junk.npy")})


@pytest.mark.parametrize("kept", [("smile",), ("gender", "smile"), ("age",)])
def test_what_is_kept_is_read_as_before(kept: tuple[str, ...]) -> None:
    context = load_backbone("morphable").context
    codes = 0.5 * torch.randn(4, context.space.layers, context.space.dim, generator=torch.Generator().manual_seed(2))
    ours = make_plugin("editor", "interfacegan", context, {"keep": kept})
    for name in ("age", "smile", "gender"):
        if name in kept:
            continue
        moved = ours.edit(codes, {name: 1.5})
        for other in kept:
            before, after = (ours._known(other).deviations(ours._packed.undo(some)) for some in (codes, moved))
            assert float((after - before).abs().max()) < 0.05
        before, after = (ours._known(name).deviations(ours._packed.undo(some)) for some in (codes, moved))
        assert float((after - before).min()) > 0.5


@pytest.mark.parametrize("own", ["age", "gender", "smile", "weight", "beard"])
def test_a_direction_of_ones_own_for_an_attribute_of_the_pack_only_moves(own: str, tmp_path: Path) -> None:
    """Other edits can't bring it back or make up for it: nothing is known of how to read it."""
    context = load_backbone("morphable").context
    torch.save(torch.ones(512), tmp_path / "own.pt")
    ours = make_plugin("editor", "interfacegan", context, {"directions": {own: str(tmp_path / "own.pt")}})
    codes = torch.zeros(2, context.space.layers, context.space.dim)
    for name in ours.attributes():
        for strength in (-1.5, 1.5):
            assert bool(torch.isfinite(ours.edit(codes, {name: strength})).all()), name
