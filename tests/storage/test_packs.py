"""Packs are sealed: what was added is there, what was altered is named."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kinblend import open_pack, write_description
from kinblend.errors import PackError, PackNotFoundError, UsageError
from kinblend.storage.packs import Pack, add_file


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    save_file({"w": torch.ones(3)}, tmp_path / "generator.safetensors")
    description = {"name": "p", "encoder": None, "projector": "stylegan2", "layers": 4, "dim": 512, "resolution": 64}
    return write_description(
        tmp_path, description | {"generator": "generator.safetensors"}, ["generator.safetensors"]
    )


def test_an_added_file_is_sealed_and_the_space_stays(pack: Pack, tmp_path: Path) -> None:
    save_file({"v": torch.zeros(2)}, tmp_path / "trained.safetensors")
    added = add_file(pack, tmp_path / "trained.safetensors", "blender.safetensors")
    assert set(added.files) == {"generator.safetensors", "blender.safetensors"}
    assert added.space == pack.space
    added.verify()
    (pack.folder / "blender.safetensors").write_bytes((tmp_path / "generator.safetensors").read_bytes())
    with pytest.raises(PackError, match=r"blender\.safetensors"):
        open_pack(pack.folder).verify()


@pytest.mark.parametrize("name", ["generator.safetensors", "../out.safetensors", "weights.pt"])
def test_names_that_will_not_do(name: str, pack: Pack) -> None:
    with pytest.raises(UsageError):
        add_file(pack, pack.folder / "generator.safetensors", name)


def test_no_pack_there(tmp_path: Path) -> None:
    with pytest.raises(PackNotFoundError):
        open_pack(tmp_path)
