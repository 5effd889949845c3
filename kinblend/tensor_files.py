"""The one reader of safetensors files: the header is looked at before any tensor is.

`safe_open`, `load_file` and `load` stand in for the package's own functions of these names and take what those take.
Plugins use these, too.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeGuard

from kinblend.errors import CorruptFileError
from kinblend.file_kinds import HEAD, describe_head
from kinblend.files import open_plain

MAX_HEADER = 16 * 2**20  # bytes
BEGIN = 2**16  # bytes that most headers are shorter than
MAX_SEPARATORS = 2_000_000  # in it; what stands between them takes a hundred times its bytes in memory
MAX_TENSORS, MAX_DIMS = 100_000, 8
METADATA = "__metadata__"
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

SafetensorError = CorruptFileError  # what is raised here in its place


@contextmanager
def safe_open(path: str | Path, framework: str = "pt") -> Iterator[Any]:
    """The open file: `metadata()`, `keys()`, `get_tensor(name)`, `get_slice(name)`. Its tensors are read on demand.

    framework: "pt" for tensors of torch, "np" for arrays.
    Raises `CorruptFileError` where it is not a plain file, is damaged, nests its header, has more than 100,000
    tensors or one of a dtype that is not read (such as float8).
    """
    import safetensors

    check_header(path)
    try:
        with safetensors.safe_open(str(path), framework=framework) as file:
            yield file
    except safetensors.SafetensorError as error:
        raise CorruptFileError(f"{path} is not a readable safetensors file: {error}; get it again") from error


def load_file(path: str | Path, framework: str = "pt") -> dict[str, Any]:
    """All tensors of a file by name, on the CPU. Raises `CorruptFileError`, as `safe_open` does."""
    with safe_open(path, framework) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it has no other)


def load(data: bytes, name: str = "the file") -> dict[str, Any]:
    """All tensors of a file's content. name: what errors call it. Raises `CorruptFileError`."""
    import io

    from safetensors import SafetensorError as Unreadable
    from safetensors.torch import load

    _check(io.BytesIO(data), len(data), name)
    try:
        return load(data)
    except Unreadable as error:
        raise CorruptFileError(f"{name} is not a readable safetensors file: {error}; get it again") from error


def check_header(path: str | Path) -> None:
    """Raise `CorruptFileError` unless a file's header describes tensors that can be read and lie in the file."""
    if Path(path).is_dir():
        raise CorruptFileError(f"{path} is a folder; name a file in it")
    try:
        with open_plain(path) as file:
            size = file.seek(0, 2)
            file.seek(0)
            _check(file, size, str(path))
    except FileNotFoundError:
        raise CorruptFileError(f"{path} does not exist") from None
    except OSError as error:
        raise CorruptFileError(f"{path} can't be read: {error.strerror or error}") from error


def read_metadata(read: Callable[[int], bytes], size: int, name: str) -> dict[str, str]:
    """What is noted in a file of which only the beginning is read. Its tensors have to lie in it; no more is known.

    read: gives so many bytes from the beginning. size: of the file, in bytes. name: what errors call it.
    Raises `CorruptFileError`.
    """
    import io

    begin = read(min(size, BEGIN))
    length = struct.unpack("<Q", begin[:8])[0] if len(begin) >= 8 else 0
    if len(begin) - 8 < length <= min(MAX_HEADER, size - 8):
        begin = read(8 + length)
    return _check(io.BytesIO(begin), size, name)


def _check(file: IO[bytes], size: int, name: str) -> dict[str, str]:
    """What is noted in a header that describes tensors of the file. Raises `CorruptFileError`."""
    begin = file.read(8)
    length = struct.unpack("<Q", begin)[0] if len(begin) == 8 else -1
    if not 2 <= length <= min(MAX_HEADER, size - 8):
        what = describe_head(begin + file.read(HEAD - len(begin)))
        raise CorruptFileError(f"{name} is {what or 'no safetensors file, or ends early; get it again'}")
    text = file.read(length)
    if sum(map(text.count, (b",", b"[", b"{"))) > MAX_SEPARATORS:
        raise CorruptFileError(f"{name} has a header of more parts than any file of weights")
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{name} has a header that can't be read; get it again") from error
    if not isinstance(header, dict) or len(header) > MAX_TENSORS:
        raise CorruptFileError(f"{name} has a header of no, or of too many tensors")
    notes = header.pop(METADATA, {})
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise CorruptFileError(f"{name} has notes that are no texts")
    for tensor, entry in header.items():
        if problem := _problem(entry, size - 8 - length):
            raise CorruptFileError(f"{name}: its tensor {_shortened(tensor)} {problem}")
    return notes


def _problem(entry: Any, held: int) -> str:
    """What is wrong with a tensor's entry in the header; "" for nothing."""
    if not isinstance(entry, dict):
        return "is not described"
    dtype, shape, place = (entry.get(key, "") for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in SIZES:
        return f"has the dtype {_shortened(dtype)}; {', '.join(SIZES)} are read"
    if not _naturals(shape) or len(shape) > MAX_DIMS or not _naturals(place) or len(place) != 2:
        return "is described in a way that is not read"
    if not place[0] <= place[1] <= held or place[1] - place[0] != math.prod(shape) * SIZES[dtype]:
        return "lies outside of the file, or has another size than its shape"
    return ""


def _naturals(value: Any) -> TypeGuard[list[int]]:
    return isinstance(value, list) and all(type(number) is int and 0 <= number < 2**62 for number in value)


def _shortened(name: Any) -> str:
    return repr(str(name)[:60])
