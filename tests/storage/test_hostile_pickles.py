"""Pickles and torch files that ask for time and memory instead of code: refused at once, in bounded memory."""

import io
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hostile.pickles import HOSTILE
from plugin_site import read_apart
from published_checkpoints import Call, pickle_nvidia, record, write_nvidia

from kinblend.errors import CheckpointError
from kinblend.storage.checkpoint_reader import read_torch
from kinblend.storage.nvidia_pickles import read_nvidia
from kinblend.storage.safe_pickle import read_pickle


def test_finding_10_and_11_hostile_weights_take_neither_time_nor_memory(tmp_path: Path) -> None:
    """In a process of its own, whose memory may not grow by more than 300 MB, whatever it reads."""
    for number, data in enumerate(HOSTILE.values()):
        (tmp_path / f"{number}.pkl").write_bytes(data)
    tried = read_apart(
        "from kinblend.storage.checkpoint_reader import read_torch\n"
        "from kinblend.storage.nvidia_pickles import read_nvidia",
        ("read_torch", "read_nvidia"),
        [tmp_path / f"{number}.pkl" for number in range(len(HOSTILE))],
    )
    names = [name for name in HOSTILE for _ in range(2)]
    assert len(tried) == len(names)
    for name, (said, grown, seconds) in zip(names, tried, strict=True):
        assert said.startswith("CheckpointError: "), (name, said)
        assert grown < 300e6 and seconds < 10, (name, grown, seconds)


def test_finding_10_a_file_changes_nothing_of_torch(tmp_path: Path) -> None:
    from torch._utils import _rebuild_tensor_v2

    (tmp_path / "a.pkl").write_bytes(HOSTILE["the state of a function"])
    with pytest.raises(CheckpointError, match="sets the state of what has none"):
        read_nvidia(tmp_path / "a.pkl")
    assert not hasattr(_rebuild_tensor_v2, "x")


def test_finding_10_module_names_may_not_multiply(tmp_path: Path) -> None:
    """A name of a megabyte before each of many names would fill the memory."""
    state: object = {"a": 1}
    for _ in range(5):
        state = {"_modules": {"m" * 1_000_000: record({"state": state})}, **{str(n): n for n in range(50)}}
    (tmp_path / "a.pkl").write_bytes(pickle_nvidia({"G_ema": record({"state": state})}))
    with pytest.raises(CheckpointError, match="longer name"):
        read_nvidia(tmp_path / "a.pkl")


def test_what_torch_writes_is_read_as_torch_reads_it(tmp_path: Path) -> None:
    import argparse

    base = torch.arange(24.0).reshape(4, 6)
    kinds = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]
    value = {
        "w": base,
        "view": base[1:, ::2],
        "turned": base.T,
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "kinds": [torch.ones(3).to(kind) for kind in kinds],
        "state": torch.nn.Linear(2, 3).state_dict(),
        "args": argparse.Namespace(size=64, name="x"),
        "plain": [1, -2.5, None, True, "ü", b"b", (1, (2,)), {3: {"x"}}, 2**40, torch.Size([1, 2])],
    }
    for zipped_ in (True, False):
        torch.save(value, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped_)
        found = read_torch(tmp_path / "a.pt")
        known = torch.load(tmp_path / "a.pt", weights_only=False)
        for name in ("w", "view", "turned", "empty", "scalar", "parameter"):
            assert torch.equal(found[name], known[name]) and found[name].dtype == known[name].dtype
            assert found[name].stride() == known[name].stride()
        assert all(torch.equal(one, other) for one, other in zip(found["kinds"], known["kinds"], strict=True))
        assert list(found["state"]) == list(known["state"])
        assert found["plain"] == known["plain"] and found["args"] == known["args"]
        assert found["view"].untyped_storage().data_ptr() == found["w"].untyped_storage().data_ptr()


def test_an_nvidia_file_shares_what_it_shares(tmp_path: Path) -> None:
    weight = torch.arange(6.0).reshape(2, 3).T
    write_nvidia(tmp_path / "a.pkl", {"a.w": weight, "b.w": weight}, settings={"a.clamp": 256})
    network = read_nvidia(tmp_path / "a.pkl")["G_ema"]
    assert torch.equal(network.tensors["a.w"], weight) and torch.equal(network.tensors["b.w"], weight)
    assert network.settings["a.clamp"] == 256


def test_a_flipped_bit_is_refused_or_harmless(tmp_path: Path) -> None:
    import random

    draw, path = random.Random(0), tmp_path / "a.pt"
    file = io.BytesIO()
    torch.save({"w": torch.ones(64), "opts": {"size": 64}}, file, _use_new_zipfile_serialization=False)
    whole = file.getvalue()
    begun = time.monotonic()
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(draw.choice((1, 1, 4))):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data[: draw.choice((None, None, draw.randrange(len(data))))])
        try:
            read_torch(path)
        except CheckpointError as error:
            assert "\n" not in str(error)
    assert time.monotonic() - begun < 60


def test_only_what_the_caller_names_is_called() -> None:
    with pytest.raises(Exception, match=r"asks for os\.system"):
        read_pickle(io.BytesIO(b"cos\nsystem\n(X\x01\x00\x00\x00xtR."), {})
    with pytest.raises(Exception, match="no function"):
        read_pickle(io.BytesIO(b"\x80\x04N)R."), {})
    assert read_pickle(io.BytesIO(pickle.dumps({"a": [1, (2, 3)]})), {}) == {"a": [1, (2, 3)]}


def test_nothing_is_imported_for_a_name(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(pickle.dumps(Call(subprocess.run, "true")))
    with pytest.raises(CheckpointError, match=r"asks for subprocess\.run"):
        read_torch(tmp_path / "a.pt")
    assert sys.modules.get("a_module_that_is_not_there") is None
