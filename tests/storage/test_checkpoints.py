"""Hostile and damaged checkpoints leave no trace and get one line; honest ones load."""

import builtins
import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from published import Call, write_nvidia

from kinblend.errors import CheckpointError
from kinblend.storage.checkpoints import read_nvidia, read_torch


def _saved(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _script() -> bytes:
    """The names a TorchScript archive has; what stands in them is never read."""
    return _zip({"archive/constants.pkl": b"x", "archive/code/model.py": b"x", "archive/data.pkl": pickle.dumps({})})


def hostile(trace: Path) -> dict[str, bytes]:
    """Files by name; loading one carelessly creates `trace`."""
    touch = f"open({str(trace)!r}, 'w').close()"
    system = Call(os.system, f"touch '{trace}'")
    calls = {
        "system": system,
        "eval": Call(builtins.eval, touch),
        "exec": Call(builtins.exec, touch),
        "open": Call(builtins.open, str(trace), "w"),
        "nested": {"G_ema": [{"deep": system}]},
        "as-state": {"state_dict": {"w": system}},
        "getattr": Call(builtins.getattr, "text", "__class__"),
        "import": Call(builtins.__import__, "os"),
        "mkdir": Call(os.mkdir, str(trace)),
        "loads": Call(pickle.loads, pickle.dumps(system)),
    }
    files = {name: pickle.dumps(value) for name, value in calls.items()}
    files |= {f"{name}-torch": _saved(calls[name]) for name in ("system", "eval", "as-state")}
    files["bytes-in-storage"] = pickle.dumps({"G_ema": Call(torch.storage._load_from_bytes, files["system"])})
    files["zip-in-zip"] = _zip({"archive/data.pkl": _zip({"data.pkl": files["system"]})})
    files["zip-of-pickle"] = _zip({"archive/data.pkl": files["system"], "archive/version": b"3"})
    files["torchscript"] = _script()
    honest = _saved({"w": torch.ones(64)})
    files["truncated"] = honest[: len(honest) // 2]
    files["wrong-header"] = b"PK\x03\x04" + bytes(64)
    files["empty"] = b""
    files["text"] = b"not a checkpoint at all\n"
    return files


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
