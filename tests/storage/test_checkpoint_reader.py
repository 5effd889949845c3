"""Hostile and damaged checkpoints leave no trace and get one line; honest ones load."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hostile.checkpoints import hostile
from published_checkpoints import write_nvidia

from kinblend.errors import CheckpointError
from kinblend.storage.checkpoint_reader import read_torch
from kinblend.storage.nvidia_pickles import read_nvidia

NAMES = sorted(hostile(Path("trace")))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("read", [read_torch, read_nvidia])
def test_nothing_is_executed_and_the_error_is_one_line(name: str, read: Callable, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "file.pt"
    path.write_bytes(hostile(trace)[name])
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert not trace.exists()
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)


def test_the_refusal_names_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file.pt").write_bytes(hostile(tmp_path / "trace")["eval-torch"])
    with pytest.raises(CheckpointError, match=r"pt is refused: it asks for builtins\.eval, which no weights need$"):
        read_torch(tmp_path / "file.pt")


def test_there_are_twenty_hostile_files() -> None:
    assert len(NAMES) >= 20


def test_an_honest_state_dict_loads(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.arange(4.0)}, "opts": {"size": 64}}, tmp_path / "a.pt")
    assert torch.equal(read_torch(tmp_path / "a.pt")["state_dict"]["w"], torch.arange(4.0))


def test_an_nvidia_network_gives_its_state_and_never_its_source(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "network.pkl"
    write_nvidia(path, {"w_avg": torch.zeros(3), "fc0.weight": torch.ones(2)}, f"open({str(trace)!r}, 'w')")
    state = read_nvidia(path)["G_ema"].tensors
    assert sorted(state) == ["fc0.weight", "w_avg"]
    assert torch.equal(state["fc0.weight"], torch.ones(2))
    assert not trace.exists()
