"""The importers make packs with the names as published."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kinblend.errors import CheckpointError, UsageError
from kinblend.plugins import load_plugins
from kinblend.storage.importing import import_pack


def importers() -> list:
    return [spec.load() for spec in load_plugins()["importer"]]


def generator(resolution: int) -> dict[str, torch.Tensor]:
    steps = resolution.bit_length() - 3
    return {"input.input": torch.ones(1, 8, 4, 4)} | {
        f"to_rgbs.{i}.bias": torch.zeros(1, 3, 1, 1) for i in range(steps)
    }


def test_an_e4e_checkpoint(tmp_path: Path) -> None:
    state = {f"decoder.{key}": value for key, value in generator(64).items()} | {
        "encoder.input_layer.0.weight": torch.ones(2)
    }
    torch.save(
        {"state_dict": state, "latent_avg": torch.ones(10, 512), "opts": {"device": "cuda"}}, tmp_path / "e.pt"
    )
    pack = import_pack(tmp_path / "e.pt", tmp_path / "packs" / "mine", "mine", importers())
    pack.verify()
    assert (pack.resolution, pack.space.layers, pack.description["encoder"]) == (64, 10, "e4e")
    assert set(load_file(pack.files["encoder.safetensors"])) == {"input_layer.0.weight", "latent_avg"}
    assert "input.input" in load_file(pack.files["generator.safetensors"])
    with pytest.raises(UsageError, match="exists already"):
        import_pack(tmp_path / "e.pt", tmp_path / "packs" / "mine", "mine", importers())


def test_a_rosinality_checkpoint_of_1024(tmp_path: Path) -> None:
    torch.save({"g_ema": generator(1024), "latent_avg": torch.ones(512)}, tmp_path / "r.pt")
    pack = import_pack(tmp_path / "r.pt", tmp_path / "packs" / "r", "r", importers())
    assert (pack.resolution, pack.space.layers, pack.description["encoder"]) == (1024, 18, None)


def test_a_file_nobody_knows_leaves_nothing_behind(tmp_path: Path) -> None:
    torch.save({"something": 1}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="no importer knows"):
        import_pack(tmp_path / "x.pt", tmp_path / "packs" / "x", "x", importers())
    assert list((tmp_path / "packs").iterdir()) == []
