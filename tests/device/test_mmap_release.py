"""Weights that are mapped from a file: given back, read again, and never lost once changed."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from kinblend import DevicePool
from kinblend.device import mmap_release

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux alone")
SIDE = 2048  # 16 MiB


def resident_file_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile"))


@pytest.fixture
def tensors(tmp_path: Path) -> dict[str, torch.Tensor]:
    path = tmp_path / "weights.safetensors"
    save_file({name: torch.randn(SIDE, SIDE) for name in ("a", "b")}, path)
    return load_file(path)


def test_what_was_read_is_given_back_and_read_again(tensors: dict[str, torch.Tensor]) -> None:
    total = float(tensors["a"].sum())
    before = resident_file_bytes()
    given = mmap_release.release_pages([tensors["a"]])
    assert given > 15 << 20
    assert before - resident_file_bytes() > 15 << 20
    assert float(tensors["a"].sum()) == total


def test_what_was_changed_stays(tensors: dict[str, torch.Tensor]) -> None:
    tensors["a"][7, 7] = 3.0
    assert mmap_release.release_pages([tensors["a"]]) == 0
    assert float(tensors["a"][7, 7]) == 3.0
    own = torch.randn(SIDE, SIDE)
    assert mmap_release.release_pages([own, own[:0]], files=True) == 0


def test_tensors_that_nobody_holds_are_given_back_with_their_file(tensors: dict[str, torch.Tensor]) -> None:
    tensors["a"].sum()
    assert mmap_release.release_pages([tensors["b"]]) < 1 << 20
    assert mmap_release.release_pages([tensors["b"][:1]], files=True) > 15 << 20


def test_a_lease_gives_mapped_weights_back_when_it_ends(tensors: dict[str, torch.Tensor]) -> None:
    module = nn.Linear(SIDE, SIDE, bias=False)
    module.weight.data = tensors["a"]
    before = resident_file_bytes()
    with DevicePool("cpu") as pool:
        with pool.lease(module):
            first = module(torch.ones(1, SIDE))
            assert resident_file_bytes() - before > 15 << 20
        assert resident_file_bytes() - before < 8 << 20  # code that was read meanwhile stays
        with pool.lease(module):
            assert torch.equal(module(torch.ones(1, SIDE)), first)
