"""Pickles and torch files that ask for time and memory instead of code: refused at once, in bounded memory."""

import io
import pickle
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch
from published import Call, pickle_nvidia, record, write_nvidia
from strangers import read_apart

from kinblend.errors import CheckpointError
from kinblend.storage.checkpoints import read_nvidia, read_torch
from kinblend.storage.pickles import read_pickle

PAIR = b"\x86\x94"  # TUPLE2, MEMOIZE


def text(words: str) -> bytes:
    return b"\x8c" + bytes([len(words)]) + words.encode()


def doubled(times: int = 60) -> bytes:
    """A tuple of twice the same tuple, and so on: 2^times leaves in a few bytes."""
    return b")\x94" + b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + PAIR for n in range(times))


def nested_lists(depth: int) -> bytes:
    return b"]" * depth + b"a" * (depth - 1)


def persistent(state: bytes) -> bytes:
    """An NVIDIA file whose G_ema has that state."""
    head = b"\x80\x04}" + text("G_ema") + b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n}"
    return head + text("state") + state + b"s\x85Rs."


def legacy(count: int, held: bytes = b"") -> bytes:
    """A file as torch wrote them before 1.6: one storage of so many floats, of which it holds these bytes."""
    storage = b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    storage += b"\x8a\x08" + struct.pack("<q", count) + b"NtQ."
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join(head) + storage + pickle.dumps(["0"], 2) + struct.pack("<q", count) + held


def zipped(pickled: bytes, records: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickled, zipfile.ZIP_STORED)
        for name, data in records.items():
            archive.writestr(f"archive/data/{name}", data)
    return file.getvalue()


def tensor_of(count: int, shape: bytes, stride: bytes) -> bytes:
    """The data.pkl of one tensor of a storage of so many floats."""
    storage = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    storage += b"\x8a\x08" + struct.pack("<q", count) + b"tQ"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + storage + b"K\x00" + shape + stride + b"\x89}tR."


def long(number: int) -> bytes:
    return b"\x8a\x08" + struct.pack("<q", number)


HOSTILE = {
    "a shared tuple as a key": b"\x80\x04}" + doubled() + b"Ns.",
    "a shared tuple in a set": b"\x80\x04\x8f(" + doubled() + b"\x90.",
    "a shared name": persistent(b"}" + text("_modules") + b"}" + doubled() + b"Nss"),
    "a memo of gigabytes": b"\x80\x04Nr\xff\xff\xff\x7f.",
    "a list in a list …": b"\x80\x04" + nested_lists(100_000) + b".",
    "a list in itself": b"\x80\x04]\x94h\x00a.",
    "a state that holds itself": persistent(b"}\x94" + text("_modules") + b"h\x00s"),
    "a nested dtype": b"\x80\x04cnumpy\ndtype\n]" + text("a") + b"]" + text("b") + text("f8") + b"\x86aaa\x85R.",
    "a wide dtype": b"\x80\x04cnumpy\ndtype\n" + text("V2000000000") + b"\x85R.",
    "a scalar of gigabytes": b"\x80\x04cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n"
    + text("S2000000000") + b"\x85RC\x00\x86R.",
    "the state of a function": b"\x80\x04ctorch._utils\n_rebuild_tensor_v2\n}" + text("x") + b"K\x01sb.",
    "the state of a class": b"\x80\x04ccollections\nOrderedDict\n}" + text("x") + b"K\x01sb.",
    "the state of a dict": b"\x80\x04}}" + text("x") + b"K\x01sb.",
    "a long text that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.",
    "long bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",
    "a large number": b"\x80\x04\x8b" + struct.pack("<i", 50_000_000) + b"\x7f" * 50_000_000 + b".",
    "a million steps": b"\x80\x04" + b"N0" * 1_000_000 + b"N.",
    "a legacy storage that is not there": legacy(2**33),
    "a legacy storage of 1.6 GB": legacy(400_000_000, b"1234"),
    "a zip's storage that is not there": zipped(tensor_of(2**33, long(1) + b"\x85", b"K\x01\x85"), {"0": b"1234"}),
    "a compressed storage": zipped(
        tensor_of(2**26, long(2**26) + b"\x85", b"K\x01\x85"), {"0": bytes(2**28)}, zipfile.ZIP_DEFLATED
    ),
    "a tensor beyond its storage": zipped(tensor_of(1, long(2) + b"\x85", b"K\x01\x85"), {"0": b"1234"}),
    "one value a million million times": zipped(tensor_of(1, long(2**40) + b"\x85", b"K\x00\x85"), {"0": b"1234"}),
    "a negative stride": zipped(tensor_of(1, long(1) + b"\x85", long(-1) + b"\x85"), {"0": b"1234"}),
    "many dimensions": zipped(tensor_of(1, *[b"(" + b"K\x01" * 2000 + b"t"] * 2), {"0": b"1234"}),
    "an inner legacy file": persistent(
        b"}" + text("_buffers") + b"}" + text("w") + b"ctorch.storage\n_load_from_bytes\nB"
        + struct.pack("<I", len(legacy(2**33))) + legacy(2**33) + b"\x85Rss"
    ),
}  # fmt: skip


def test_finding_10_and_11_hostile_weights_take_neither_time_nor_memory(tmp_path: Path) -> None:
    """In a process of its own, whose memory may not grow by more than 300 MB, whatever it reads."""
    for number, data in enumerate(HOSTILE.values()):
        (tmp_path / f"{number}.pkl").write_bytes(data)
    tried = read_apart(
        "from kinblend.storage.checkpoints import read_nvidia, read_torch",
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
