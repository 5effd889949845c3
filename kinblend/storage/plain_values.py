"""What checkpoints hold beside tensors: NumPy's numbers and arrays, paths, dates, settings of a training.

Each becomes a plain value of Python, a `FileArray`, or a text; nothing that a file names is called.
"""

from __future__ import annotations

import argparse
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.storage.safe_pickle import Global, Refused, make_set

if TYPE_CHECKING:
    from torch import Tensor

DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))  # of NumPy's values
MAX_DIMS = 16
MAX_PARTS = 1000  # of a path, or of what else is written as a call with its parts

PATHS = ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
# Settings are kept in these; only what they hold counts.
MAPPINGS = (
    "collections.OrderedDict",
    "easydict.EasyDict",
    "addict.addict.Dict",
    "munch.Munch",
    "yacs.config.CfgNode",
    "dnnlib.util.EasyDict",
)
NAMESPACES = ("argparse.Namespace", "types.SimpleNamespace")
# Values that say nothing of weights: they are kept as a text.
TEXTS = (
    "builtins.complex",
    "builtins.range",
    "builtins.xrange",
    "builtins.slice",
    "builtins.bytearray",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "fractions.Fraction",
    "uuid.UUID",
)
# Classes that stand in a file as they are: what a `defaultdict` makes, a dtype among settings.
CLASSES = ("bool", "int", "long", "float", "str", "unicode", "list", "dict", "tuple")


@dataclass
class FileArray:
    """An array of NumPy in a file. values: None until the file has given them."""

    values: Any = None

    def tensor(self) -> Tensor:
        """Its values as a tensor on the CPU. Raises `Refused` where it has none."""
        import torch

        if self.values is None:
            raise Refused("it holds an array without values")
        return torch.from_numpy(self.values)


def value_globals() -> list[Global]:
    """What a file may name beside tensors, for `read_pickle`."""
    modules = ("pathlib", "pathlib._local")
    return [
        *numpy_globals(),
        *(Global(f"{module}.{name}", _make_path) for module in modules for name in PATHS),
        *(Global(name, make_mapping, ignore_state) for name in MAPPINGS),
        *(Global(name, _make_namespace, _fill_namespace) for name in NAMESPACES),
        *(Global(name, _make_text, ignore_state) for name in TEXTS),
        *(Global(f"builtins.{name}", value=f"<class {name}>") for name in CLASSES),
        Global("collections.defaultdict", lambda *_: {}),
        Global("collections.Counter", _make_counter),
        Global("builtins.set", make_set),
        Global("builtins.frozenset", make_set),
        Global("_codecs.encode", _make_bytes),
        Global("builtins.bytes", _make_no_bytes),
    ]


def numpy_globals() -> list[Global]:
    """NumPy's numbers and arrays, under the names that its versions 1 and 2 give them."""
    found = [Global("numpy.dtype", _make_dtype, _set_byte_order), Global("numpy.ndarray", value=_ARRAY)]
    for package in ("numpy.core", "numpy._core"):
        found.append(Global(f"{package}.multiarray.scalar", _make_scalar))
        found.append(Global(f"{package}.multiarray._reconstruct", _begin_array, _fill_array))
    return found


@dataclass
class _DType:
    """A NumPy dtype of a file, of which only its name and its byte order count."""

    dtype: Any


_ARRAY = _DType(None)  # what `numpy.ndarray` stands for in a file


def _make_dtype(name: Any, *_: Any) -> _DType:
    if not isinstance(name, str) or name not in DTYPES:
        raise Refused("it has a dtype that no network needs")
    return _DType(np.dtype(name))


def _set_byte_order(made: _DType, state: Any) -> None:
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
    if order not in ("<", "|", "="):
        raise Refused("it has a dtype that no network needs")


def _make_scalar(dtype: Any, data: Any) -> float:
    if not isinstance(dtype, _DType) or dtype.dtype is None:
        raise Refused("its items are in disorder")
    if not isinstance(data, bytes) or len(data) != dtype.dtype.itemsize:
        raise Refused("its items are in disorder")
    value: float = np.frombuffer(data, dtype.dtype)[0].item()
    return value


def _begin_array(kind: Any, *_: Any) -> FileArray:
    if kind is not _ARRAY:
        raise Refused("it holds an array that is no plain one")
    return FileArray()


def _fill_array(made: FileArray, state: Any) -> None:
    if not isinstance(state, tuple) or len(state) != 5:
        raise Refused("its items are in disorder")
    _, shape, dtype, fortran, data = state
    known = isinstance(dtype, _DType) and dtype.dtype is not None and isinstance(data, bytes)
    if not known or not _is_shape(shape) or math.prod(shape) * dtype.dtype.itemsize != len(data):
        raise Refused("it holds an array of another size than it says")
    values = np.frombuffer(data, dtype.dtype).reshape(shape, order="F" if fortran else "C")
    made.values = np.array(values, order="C")


def _is_shape(value: Any) -> bool:
    whole = isinstance(value, tuple) and len(value) <= MAX_DIMS
    return whole and all(isinstance(size, int) and 0 <= size < 2**62 for size in value)


def _make_path(*parts: Any) -> str:
    if len(parts) > MAX_PARTS or not all(isinstance(part, str) for part in parts):
        raise Refused("its items are in disorder")
    return "/".join(parts).replace("//", "/") or "."  # the root of an absolute one is a part of its own


def _make_text(*parts: Any) -> str:
    """The parts that are plain, as a text; of no use but to be looked at."""
    plain = [part for part in parts[:MAX_PARTS] if isinstance(part, (str, int, float, bytes))]
    return ", ".join(repr(part)[:100] for part in plain)


def make_mapping(items: Any = (), *_: Any) -> dict[Any, Any]:
    """An `OrderedDict` or a dict with attributes, as a plain dict would hold it."""
    if items not in ((), [], {}):
        raise Refused("its items are in disorder")
    return OrderedDict()


def _make_counter(counts: Any = None) -> dict[Any, Any]:
    if counts is not None and not isinstance(counts, dict):
        raise Refused("its items are in disorder")
    return dict(counts or {})


def ignore_state(made: Any, state: Any) -> None:
    """For what has a state that says nothing of weights, such as the versions of a state dict's modules."""


def _make_namespace() -> argparse.Namespace:
    return argparse.Namespace()


def _fill_namespace(made: Any, state: Any) -> None:
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise Refused("its items are in disorder")
    made.__dict__ = state  # not copied: a file may give the same to many


def _make_bytes(text: Any, encoding: Any) -> bytes:
    """How `bytes` are written by pickles of protocol 2."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("its items are in disorder")
    return text.encode("latin1")


def _make_no_bytes() -> bytes:
    """How no bytes at all are written by pickles of protocol 2."""
    return b""
