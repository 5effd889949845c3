"""What a checkpoint promises, for every training: see tests/plugins/test_stylegan2_checkpoints.py for kills."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import nn

from kinblend.errors import PackError, UsageError
from kinblend.training.checkpoint import Checkpoints, join, split

OPTIONS = {"width": 12, "shares": (0.2, 0.5), "start": None}


def trained(steps: int = 3) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    return network, step(network, optimizer, steps)


def step(network: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.Optimizer:
    for _ in range(steps):
        optimizer.zero_grad()
        network(torch.ones(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)).square().mean().backward()
        optimizer.step()
    return optimizer


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    network, optimizer = trained()
    Checkpoints(tmp_path, OPTIONS).save(3, {"network.bias": network.bias}, {"rate": float("inf")}, {"a.b": optimizer})
    found = Checkpoints(tmp_path, OPTIONS).load()
    assert found is not None
    assert found.state == {"rate": float("inf")}
    assert torch.equal(found.below("network")["bias"], network.bias)
    assert found.below("net") == {}
    other, afresh = trained(0)
    assert found.restore({"a.b": afresh})
    ours, theirs = optimizer.state_dict()["state"], afresh.state_dict()["state"]
    for index, entry in ours.items():
        for kind, value in entry.items():
            assert torch.equal(theirs[index][kind], value)
            assert theirs[index][kind].stride() == value.stride()
    other.load_state_dict(network.state_dict())
    step(other, afresh, 2)
    step(network, optimizer, 2)
    assert torch.equal(other.weight, network.weight)


def test_nothing_saved_is_nothing_loaded(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path / "none", OPTIONS).load() is None


def test_moments_may_be_left_behind(tmp_path: Path) -> None:
    network, optimizer = trained()
    folder = Checkpoints(tmp_path, OPTIONS).save(1, network.state_dict(), {}, {"one": optimizer})
    for file in folder.glob("moments-*"):
        file.unlink()
    found = Checkpoints(tmp_path, OPTIONS).load()
    assert found is not None
    assert not found.restore({"one": optimizer})
    assert optimizer.state_dict()["state"] == {}


@pytest.mark.parametrize("change", [{"width": 16}, {"more": 1}])
def test_other_options_are_named(change: dict, tmp_path: Path) -> None:
    Checkpoints(tmp_path, OPTIONS).save(1, {"a": torch.zeros(1)}, {})
    [(name, value)] = change.items()
    with pytest.raises(UsageError, match=f"other options: {name}={OPTIONS.get(name)}, not {value}"):
        Checkpoints(tmp_path, {**OPTIONS, **change}).load()


def test_the_last_two_are_kept_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, OPTIONS)
    for number in range(1, 5):
        checkpoints.save(number, {"a": torch.full((3,), float(number))}, {"number": number})
    (tmp_path / "step-000000005.part").mkdir()  # of one who was killed while writing
    latest, before = checkpoints.found()
    assert (latest.name, before.name) == ("step-000000004", "step-000000003")
    with (latest / "weights-00.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    found = checkpoints.load()
    assert found is not None
    assert found.state["number"] == found.tensors["a"][0] == 3
    for content in ("{", "[]", '{"schema": 1}', '{"options": 1, "state": {}, "files": {}}'):
        (before / "state.json").write_text(content)
        with pytest.raises(PackError, match="delete them to start afresh"):
            checkpoints.load()
    checkpoints.save(6, {"a": torch.zeros(1)}, {})
    assert not (tmp_path / "step-000000005.part").exists()


def test_a_step_is_written_once(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, OPTIONS)
    first = checkpoints.save(1, {"a": torch.zeros(1)}, {})
    assert checkpoints.save(1, {"a": torch.ones(1)}, {}) == first
    assert float(checkpoints.load().tensors["a"]) == 0


def test_what_is_done_leaves_nothing_but_what_others_put_there(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "one", OPTIONS)
    checkpoints.save(1, {"a": torch.zeros(1)}, {})
    checkpoints.remove()
    assert not (tmp_path / "one").exists()
    checkpoints.remove()
    checkpoints.save(1, {"a": torch.zeros(1)}, {})
    (tmp_path / "one" / "log.jsonl").write_text("")
    checkpoints.remove()
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["log.jsonl"]


def test_no_file_is_over_the_limit_and_large_tensors_come_back_whole() -> None:
    tensors = {"a": torch.randn(300, 100), "b": torch.randn(7), "c": torch.tensor(3.0), "d": torch.randn(3, 50000)}
    limit = 2**18
    groups = split(tensors, limit)
    assert len(groups) > 2
    assert all(len(save(group)) <= limit for group in groups)
    whole = join({name: tensor for group in groups for name, tensor in group.items()})
    assert set(whole) == set(tensors)
    assert all(torch.equal(whole[name], tensor) for name, tensor in tensors.items())
    assert split({}) == []
