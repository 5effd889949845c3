"""What lies beside the tensors of a checkpoint is read as a plain value, and nothing of it is called."""

import argparse
import collections
import datetime
import decimal
import fractions
import os
import pathlib
import pickle
import subprocess
import tempfile
import types
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from published_checkpoints import Call

from kinblend.checkpoints import FileArray, read_torch
from kinblend.errors import CheckpointError


def round_trip(value: object, zipped: bool = True) -> object:
    with tempfile.TemporaryDirectory() as folder:
        torch.save({"value": value}, Path(folder) / "a.pt", _use_new_zipfile_serialization=zipped)
        return read_torch(Path(folder) / "a.pt")["value"]


KINDS = ("?", "<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8")


@settings(max_examples=100, deadline=None)
@given(
    array=arrays.arrays(st.sampled_from(KINDS), arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)),
    zipped=st.booleans(),
    turned=st.booleans(),
)
def test_arrays_come_out_as_they_are(array: np.ndarray, zipped: bool, turned: bool) -> None:
    array = array.T if turned else array
    found = round_trip(array, zipped)
    assert isinstance(found, FileArray)
    np.testing.assert_array_equal(found.values, array)
    assert found.values.dtype == array.dtype
    assert tuple(found.tensor().shape) == array.shape


@settings(max_examples=100, deadline=None)
@given(st.one_of(*(arrays.from_dtype(np.dtype(kind)) for kind in KINDS)))
def test_numbers_of_numpy_are_numbers(number: np.generic) -> None:
    found, expected = round_trip(number), number.item()
    assert type(found) is type(expected)
    assert found == expected or (found != found and expected != expected)


parts = st.text(st.characters(min_codepoint=48, max_codepoint=122), min_size=1).filter(lambda s: s not in (".", ".."))


@settings(max_examples=100, deadline=None)
@given(st.lists(parts, max_size=4), st.booleans())
def test_paths_are_texts(names: list[str], absolute: bool) -> None:
    path = pathlib.PurePosixPath("/" if absolute else ".", *names)
    assert round_trip(path) == str(path)


ODD = {
    "a path of Windows": pathlib.PureWindowsPath("C:/x"), "a date": datetime.datetime(2021, 1, 1, 12),
    "a span": datetime.timedelta(3), "a day": datetime.date(2021, 1, 1), "a zone": datetime.UTC,
    "a decimal": decimal.Decimal("1.2"), "a fraction": fractions.Fraction(1, 3), "a UUID": uuid.UUID(int=3),
    "a complex number": 1j, "a range": range(3), "a slice": slice(1, 2), "bytes": bytearray(b"ab"), "a class": int,
    "a text class": str, "a dtype": np.dtype("f4"), "a dtype of torch": torch.float16, "a size": torch.Size([1, 2]),
    "a device": torch.device("cpu"), "a namespace": types.SimpleNamespace(a=1), "options": argparse.Namespace(),
    "a frozen set": frozenset({1}), "a counter": collections.Counter("aab"),
    "a default dict": collections.defaultdict(list, a=[1]), "an ordered dict": collections.OrderedDict(a=1),
    "a parameter with a state": torch.nn.Parameter(torch.ones(2)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_says_nothing_of_weights_does_not_keep_them_from_being_read(kind: str, zipped: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pt"
        torch.save({"w": torch.ones(3), "beside": ODD[kind]}, path, _use_new_zipfile_serialization=zipped)
        assert torch.equal(read_torch(path)["w"], torch.ones(3))


def test_dicts_and_namespaces_keep_what_they_hold() -> None:
    assert round_trip(collections.defaultdict(list, a=[1])) == {"a": [1]}
    assert round_trip(collections.Counter("aab")) == {"a": 2, "b": 1}
    assert vars(round_trip(types.SimpleNamespace(a=1))) == {"a": 1}
    assert round_trip(argparse.Namespace(a=Path("x/y"), b=np.int64(3))) == argparse.Namespace(a="x/y", b=3)


@pytest.mark.parametrize(
    "call",
    [
        Call(os.system, "true"), Call(subprocess.Popen, ["true"]), Call(eval, "1"), Call(Path.unlink, Path("x")),
        Call(getattr, "a", "b"), Call(np.load, "x"), Call(np.frombuffer, b"12345678"), Call(datetime.datetime.now),
        Call(pickle.loads, b"N."), Call(pathlib.Path.touch, pathlib.Path("trace")), Call(open, "trace", "w"),
        Call(compile, "1", "x", "eval"), Call(collections.namedtuple, "a", "b"),
    ],
)  # fmt: skip
def test_nothing_else_is_called(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.ones(3), "opts": call}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"asks for .*, which no weights need"):
        read_torch(tmp_path / "a.pt")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def wrong_arrays() -> list[bytes]:
    """Arrays that claim another size than they hold, another class, or another byte order."""
    begin = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n"
    ours = begin + b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    float_ = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4K\x00K\x01\x87R(K\x03X\x01\x00\x00\x00%bNNN"
    float_ += b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"

    def state(shape: bytes, order: bytes = b"<") -> bytes:
        return b"(K\x01" + shape + b"\x85" + float_ % order + b"\x89C\x08" + bytes(8) + b"tb."

    return [
        ours + state(b"K\x03"),
        ours + state(b"\x8a\x08" + (2**60).to_bytes(8, "little")),
        ours + state(b"J\xff\xff\xff\xff"),
        ours + state(b"K\x02", b">"),
        begin + b"cbuiltins\ndict\nK\x00\x85C\x01b\x87R.",
        ours + b".",
        ours + b"(K\x01tb.",
    ]


@pytest.mark.parametrize("number", range(7))
def test_arrays_that_lie_are_refused(number: int, tmp_path: Path) -> None:
    import io

    from kinblend.checkpoints import Refused, read_pickle, tensor_globals

    known = {one.name: one for one in tensor_globals()}
    honest = wrong_arrays()[0].replace(b"K\x03\x85cnumpy", b"K\x02\x85cnumpy")
    assert read_pickle(io.BytesIO(honest), known).tensor().shape == (2,)
    with pytest.raises((Refused, IndexError)):
        read_pickle(io.BytesIO(wrong_arrays()[number]), known).tensor()
