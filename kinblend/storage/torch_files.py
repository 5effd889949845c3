"""Reads files of `torch.save`: tensors and plain containers, never anything that is called.

Layouts: the zip that torch writes since 1.6 (`data.pkl`, `data/0` …), and the sequence of pickles that it wrote
before, which NVIDIA's files still hold for each storage.
"""

from __future__ import annotations

import io
import math
import struct
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from kinblend.files import open_plain
from kinblend.storage.archives import Archive, open_archive
from kinblend.storage.plain_values import value_globals
from kinblend.storage.safe_pickle import UNSHARED, Global, Refused, read_pickle

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ZIP = b"PK\x03\x04"
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how `torch.save` began its files before version 1.6
MARK, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
LISTING = 2 * 2**20  # bytes of the list of members of a file: about 20,000 tensors
MAX_PICKLE = 64 * 2**20  # bytes of a file without the values of its tensors
MAX_DIMS = 16
MAX_STORAGES = 100_000
ALIGNED = 16  # bytes; storages that lie elsewhere are copied

_STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}


@dataclass(frozen=True, eq=False)
class Storage:
    """The values that tensors of a file share."""

    bytes: torch.UntypedStorage
    dtype: torch.dtype


def load_plain(path: Path) -> Any:
    """What a `torch.save` file holds: tensors, plain containers and `argparse.Namespace`, on the CPU.

    The values of a zip stay in the file until they are looked at. Raises nearly anything for a damaged or hostile
    file; `pickles.reason` puts it into words.
    """
    with open_plain(path) as file:
        head = file.read(len(LEGACY))
        file.seek(0)
        if not head.startswith(ZIP):
            return read_legacy(file)
    with open_archive(path, most=path.stat().st_size, listing=LISTING) as archive:
        return _Zipped(archive).value()


def read_legacy(stream: IO[bytes]) -> Any:
    """The value of a file as torch wrote them before version 1.6."""
    if read_pickle(stream, {}) != MARK or read_pickle(stream, {}) != PROTOCOL:
        raise Refused("it is no file of weights")
    system = read_pickle(stream, {})
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Refused("it was written on a machine of another byte order")
    return _Sequence(stream).value()


class _Sequence:
    """A stream that stands behind the first three pickles."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, _remaining(stream)
        self._storages: dict[str, Storage] = {}

    def value(self) -> Any:
        value = read_pickle(self._stream, _globals(), self._storage)
        keys = read_pickle(self._stream, {})
        if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(self._storages):
            raise Refused("it lacks the values of a tensor")
        for key in keys:
            self._fill(self._storages[str(key)])
        return value

    def _storage(self, pid: Any) -> Storage:

        dtype, key, count = _described(pid)
        if key not in self._storages:
            size = count * dtype.itemsize
            self._left -= size
            if self._left < 0:
                raise Refused("it claims more values than it holds")
            self._storages[key] = Storage(_empty(size), dtype)
        return _same(self._storages[key], dtype, count)

    def _fill(self, storage: Storage) -> None:
        import torch

        (count,) = struct.unpack("<q", self._stream.read(8))
        size = storage.bytes.nbytes()
        if count * storage.dtype.itemsize != size:
            raise Refused("it holds another number of values than it says")
        target: Any = torch.empty(0, dtype=torch.uint8).set_(storage.bytes).numpy()
        if size and self._stream.readinto(target) != size:  # type: ignore[attr-defined]
            raise EOFError


class _Zipped:
    """A zip that torch wrote: nothing in it is compressed."""

    def __init__(self, archive: Archive) -> None:
        names = [name for name in archive.names() if name.endswith("data.pkl")]
        if len(names) != 1:
            raise Refused("it is a zip, but none of torch.save")
        self._archive, self._folder = archive, names[0].removesuffix("data.pkl")
        self._storages: dict[str, Storage] = {}

    def value(self) -> Any:
        names = set(self._archive.names())
        if f"{self._folder}constants.pkl" in names or any(name.startswith(f"{self._folder}code/") for name in names):
            raise Refused("it is TorchScript, which holds code; give the state dict instead")
        order = f"{self._folder}byteorder"
        if order in names and self._archive.read(order, most=16) != b"little":
            raise Refused("it was written on a machine of another byte order")
        pickled = self._archive.read(f"{self._folder}data.pkl", most=MAX_PICKLE)
        return read_pickle(io.BytesIO(pickled), _globals(), self._storage)

    @cached_property
    def _file(self) -> Any:
        """The whole file, mapped: a tensor's values are read when they are looked at."""
        import torch

        path = self._archive.path
        return torch.UntypedStorage.from_file(str(path), False, path.stat().st_size)

    def _storage(self, pid: Any) -> Storage:

        dtype, key, count = _described(pid)
        if key not in self._storages:
            if len(self._storages) >= MAX_STORAGES:
                raise Refused("it holds more tensors than any network's file")
            offset, size = self._archive.extent(f"{self._folder}data/{key}")
            if size != count * dtype.itemsize:
                raise Refused("it claims another number of values than it holds")
            values: Any = self._file[offset : offset + size] if size else _empty(0)
            self._storages[key] = Storage(values if offset % ALIGNED == 0 else values.clone(), dtype)
        return _same(self._storages[key], dtype, count)


def _described(pid: Any) -> tuple[torch.dtype, str, int]:
    """Dtype, key and number of values of a storage, from its persistent id."""
    import torch

    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] not in ("storage", b"storage"):
        raise Refused("it refers to objects outside the file")
    _, dtype, key, _, count, *view = pid
    if view not in ([], [None]):
        raise Refused("its storages are parts of others, which no weights need")
    if not isinstance(dtype, torch.dtype) or not isinstance(key, str) or not _natural(count):
        raise Refused("its items are in disorder")
    return dtype, key, count


def _same(storage: Storage, dtype: torch.dtype, count: int) -> Storage:
    if storage.dtype != dtype or storage.bytes.nbytes() != count * dtype.itemsize:
        raise Refused("it describes the same values in two ways")
    return storage


def make_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """What `torch._utils._rebuild_tensor_v2` gives: a view of a storage's values. Raises `Refused`."""
    import torch

    if not isinstance(storage, Storage) or not _natural(offset) or not _is_shape(size) or not _is_shape(stride):
        raise Refused("its items are in disorder")
    if len(size) != len(stride):
        raise Refused("its items are in disorder")
    held = storage.bytes.nbytes() // storage.dtype.itemsize
    count = math.prod(size)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) if count else 0
    if last >= max(held, 1) or (count and not held) or count > max(held, UNSHARED):
        raise Refused("it holds a tensor with more elements than values")
    empty = torch.empty(0, dtype=storage.dtype)
    return empty.set_(storage.bytes, offset if count else 0, size, stride)


def make_parameter(data: Any, *_: Any) -> Any:
    """What `torch._utils._rebuild_parameter` gives: its tensor."""
    import torch

    if not isinstance(data, torch.Tensor):
        raise Refused("its items are in disorder")
    return data


def _make_size(items: Any = ()) -> tuple[int, ...]:
    if not _is_shape(items):
        raise Refused("its items are in disorder")
    shape: tuple[int, ...] = items
    return shape


def _make_device(*words: Any) -> str:
    return ":".join(str(word) for word in words if isinstance(word, (str, int)))


def tensor_globals() -> list[Global]:
    """What both kinds of file need for their tensors, and for the plain values beside them."""
    return [
        Global("torch._utils._rebuild_tensor_v2", make_tensor),
        Global("torch._utils._rebuild_tensor", make_tensor),
        Global("torch._utils._rebuild_parameter", make_parameter),
        Global("torch._utils._rebuild_parameter_with_state", make_parameter),
        *value_globals(),
    ]


@cache
def _globals() -> dict[str, Global]:
    import torch

    found = [
        *tensor_globals(),
        Global("torch.Size", _make_size),
        Global("torch.device", _make_device),
        *(Global(f"torch.{name}Storage", value=getattr(torch, dtype)) for name, dtype in _STORAGES.items()),
        *(Global(f"torch.{dtype}", value=getattr(torch, dtype)) for dtype in _STORAGES.values()),
    ]
    return {known.name: known for known in found}


def _empty(size: int) -> torch.UntypedStorage:
    import torch

    return torch.empty(size, dtype=torch.uint8).untyped_storage()


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= MAX_DIMS and all(map(_natural, value))


def _natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def _remaining(stream: IO[bytes]) -> int:
    here = stream.tell()
    end = stream.seek(0, 2)
    stream.seek(here)
    return end - here
