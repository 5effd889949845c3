"""Two processes that share each batch learn what one learns, in each trainer that can be shared."""

from pathlib import Path

import pytest
import torch
from published_checkpoints import in_nvidias_names, toy, write_nvidia
from safetensors.torch import load_file
from shared_trainings import all_steps

from kinblend.pack_import import import_pack
from kinblend.training.devices import on_devices

Tensors = dict[str, torch.Tensor]
TRAINERS = ["backbone", "encoder", "blender"]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of 32 px."""
    folder = tmp_path_factory.mktemp("generator")
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(32)))
    return import_pack(folder / "net.pkl", folder / "packs", "toy").folder


@pytest.fixture(scope="module")
def both(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What one process found, and what two did."""
    folders = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("shared")
    for devices, folder in zip(("1", "2"), folders, strict=True):
        on_devices(all_steps, pack, folder, devices=devices, device="cpu", rows=2)
    return folders


@pytest.mark.parametrize("trainer", TRAINERS)
def test_gradients_and_losses_of_every_step_are_those_of_one_process(trainer: str, both: tuple[Path, Path]) -> None:
    alone, first, second = read(trainer, both)
    assert set(alone) == set(first) == set(second)
    losses = [name for name in alone if name.startswith(("loss", "path", "signs"))]
    assert losses
    for name in losses:
        torch.testing.assert_close(first[name], alone[name], rtol=2e-3, atol=1e-5, msg=f"{name} of {{}}".format)
    for number in range(2):
        ours, theirs = (joined(some, f"gradient {number}") for some in (first, alone))
        assert (ours - theirs).norm() <= (1e-3, 1e-2)[number] * theirs.norm(), number


@pytest.mark.parametrize("trainer", TRAINERS)
def test_weights_are_those_of_one_process_and_the_same_in_both(trainer: str, both: tuple[Path, Path]) -> None:
    alone, first, second = read(trainer, both)
    assert all(first[name].equal(second[name]) for name in first)
    ours, theirs = (joined(some, "weight") for some in (first, alone))
    assert (ours - theirs).norm() <= 1e-3 * theirs.norm()


def read(trainer: str, both: tuple[Path, Path]) -> tuple[Tensors, Tensors, Tensors]:
    alone, shared = both
    return (
        load_file(alone / f"{trainer}-0.safetensors"),
        load_file(shared / f"{trainer}-0.safetensors"),
        load_file(shared / f"{trainer}-1.safetensors"),
    )


def joined(found: Tensors, start: str) -> torch.Tensor:
    parts = [value.double().flatten() for name, value in sorted(found.items()) if name.startswith(start)]
    return torch.cat(parts) if parts else torch.zeros(0)
