"""Reads pickles that nobody vouches for: a small machine of its own, which calls nothing that a file names.

It knows constants, plain containers and the few globals its caller gives. Each global is a record of the caller's, so
that nothing in a file can reach a function of Python, NumPy or torch. Steps, nesting and sizes are bounded.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

from kinblend.errors import KinblendError
from kinblend.files import BoundedReader

MAX_STEPS = 1_000_000  # opcodes; a published network has a tenth
MAX_DEPTH = 100  # of containers in containers
MAX_ITEMS = 1_000_000  # held by all containers
MAX_NAMES = 1000  # in a set that a file makes of a list
MAX_BITS = 128  # of a whole number; torch's own mark has 77
MAX_TEXT = 16 * 2**20  # bytes of a text
MAX_ELEMENTS = 2**30  # of all tensors in a file; the largest published network has 0.3 · 2**30
MAX_SHARERS = 4  # tensors of the same values, on average
UNSHARED = 2**20  # elements that a tensor may have whatever its file holds of it


class Refused(Exception):
    """A file asks for what no weights need. Its text is the reason."""


class NotFinite(Refused):
    """A tensor holds NaN or infinity."""


@dataclass(frozen=True, eq=False)
class Global:
    """What a name in a pickle stands for.

    name: "module.attribute". call: makes something of arguments; None where it may not be called. state: gives what
    was made its state; None where it has none. value: what it is when it is not called.
    """

    name: str
    call: Callable[..., Any] | None = None
    state: Callable[[Any, Any], None] | None = None
    value: Any = None


def read_pickle(
    stream: IO[bytes], globals_: Mapping[str, Global], storage: Callable[[Any], Any] | None = None
) -> Any:
    """The value of the pickle that begins here; the stream stands behind it afterwards.

    globals_: by name, "module.attribute". storage: what a persistent id stands for.
    Raises `Refused`, or nearly anything for a damaged file; `reason` puts it into words.
    """
    value = _Machine(globals_, storage).run(stream)
    refuse_deep(value)
    return value


def refuse_deep(value: Any) -> None:
    """Raise `Refused` where containers hold themselves, or are nested too deeply. Takes linear time."""
    depths: dict[int, int] = {}
    open_: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(value, False)]
    while waiting:
        item, finished = waiting.pop()
        inside = _inside(item)
        if finished:
            open_.discard(id(item))
            depths[id(item)] = 1 + max((depths.get(id(part), 0) for part in inside), default=0)
            if depths[id(item)] > MAX_DEPTH:
                raise Refused("it is nested too deeply")
        elif id(item) in open_:
            raise Refused("something in it holds itself")
        elif inside and id(item) not in depths:
            open_.add(id(item))
            waiting.append((item, True))
            waiting += [(part, False) for part in inside if not isinstance(part, (str, int, float, bytes))]


def _inside(item: Any) -> list[Any]:
    """What a container holds: that which may be a container itself."""
    if isinstance(item, dict):
        return list(item.values())
    if isinstance(item, (list, tuple)):
        return list(item)
    state = getattr(item, "__dict__", None)  # of the caller's records
    return [state] if state else []


class _Mark:
    """Where an opcode's items begin on the stack."""


_MARK = _Mark()


class _Machine:
    """One run. The stack and the memo hold values, never anything that does something."""

    def __init__(self, globals_: Mapping[str, Global], storage: Callable[[Any], Any] | None) -> None:
        self._globals, self._storage = globals_, storage
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._made: dict[int, tuple[Any, Global]] = {}  # what globals made, and may be given a state
        self._items = 0

    def run(self, stream: IO[bytes]) -> Any:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(cast(IO[bytes], BoundedReader(stream)))):
            if steps > MAX_STEPS:
                raise Refused("it has more steps than any network's file")
            name = opcode.name
            if name == "STOP":
                return self._pop()
            if name in _CONSTANTS:
                self._stack.append(_constant(argument))
            elif name in _VALUES:
                self._stack.append(_VALUES[name])
            elif name not in _IGNORED:
                step = _STEPS.get(name)
                if step is None:
                    raise Refused(f"it uses {name}, which no weights need")
                step(self, argument)
        raise EOFError

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise Refused("its items are in disorder")
        return value

    def _to_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            if not place:
                raise Refused("its items are in disorder")
            place -= 1
        items = self._stack[place + 1 :]
        del self._stack[place:]
        self._count(len(items))
        return items

    def _count(self, items: int) -> None:
        self._items += items
        if self._items > MAX_ITEMS:
            raise Refused("it holds more than any network's file")

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise Refused("its items are in disorder")
        return self._stack[-1]

    def put(self, number: Any) -> None:
        self._memo[len(self._memo) if number is None else number] = self._stack[-1]

    def get(self, number: Any) -> None:
        self._stack.append(self._memo[number])

    def pop(self, _: Any) -> None:
        self._stack.pop()

    def pop_mark(self, _: Any) -> None:
        self._to_mark()

    def duplicate(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def make_list(self, _: Any) -> None:
        self._stack.append(self._to_mark())

    def make_tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def make_dict(self, _: Any) -> None:
        self._stack.append(_pairs(self._to_mark()))

    def make_set(self, _: Any) -> None:
        self._stack.append(_plain_set(self._to_mark()))

    def empty_list(self, _: Any) -> None:
        self._stack.append([])

    def empty_dict(self, _: Any) -> None:
        self._stack.append({})

    def empty_set(self, _: Any) -> None:
        self._stack.append(set())

    def short_tuple(self, size: int) -> None:
        self._count(size)
        items = [self._pop() for _ in range(size)]
        self._stack.append(tuple(reversed(items)))

    def append(self, _: Any) -> None:
        value = self._pop()
        self._count(1)
        self._top(list).append(value)

    def extend(self, _: Any) -> None:
        items = self._to_mark()
        self._top(list).extend(items)

    def set_item(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._count(1)
        self._top(dict)[_key(key)] = value

    def set_items(self, _: Any) -> None:
        items = self._to_mark()
        self._top(dict).update(_pairs(items))

    def add_items(self, _: Any) -> None:
        items = self._to_mark()
        self._top(set).update(_plain_set(items))

    def name_global(self, words: str) -> None:
        module, _, name = words.partition(" ")
        self._name(module, name)

    def name_from_stack(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise Refused("its items are in disorder")
        self._name(module, name)

    def _name(self, module: str, name: str) -> None:
        full = f"{'builtins' if module == '__builtin__' else module}.{name}"
        known = self._globals.get(full)
        if known is None:
            shown = "".join(letter if letter.isprintable() else "?" for letter in full[:80])
            raise Refused(f"it asks for {shown}, which no weights need")
        self._stack.append(known if known.value is None else known.value)

    def reduce(self, _: Any) -> None:
        arguments, named = self._pop(), self._pop()
        if not isinstance(named, Global) or named.call is None or not isinstance(arguments, tuple):
            raise Refused("it calls what is no function of a network's file")
        made = named.call(*arguments)
        if named.state is not None:
            self._made[id(made)] = made, named
        self._stack.append(made)

    def build(self, _: Any) -> None:
        state, (made, named) = self._pop(), self._made.get(id(self._stack[-1]), (None, None))
        if named is None or named.state is None or made is not self._stack[-1]:
            raise Refused("it sets the state of what has none")
        named.state(made, state)

    def persistent(self, _: Any) -> None:
        if self._storage is None:
            raise Refused("it refers to objects outside the file")
        self._stack.append(self._storage(self._pop()))

    def mark(self, _: Any) -> None:
        self._stack.append(_MARK)


_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8")
_CONSTANTS = frozenset((*_NUMBERS, *_TEXTS, *_BYTES))
_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_IGNORED = frozenset({"PROTO", "FRAME"})
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.duplicate,
    "EMPTY_LIST": _Machine.empty_list,
    "EMPTY_DICT": _Machine.empty_dict,
    "EMPTY_SET": _Machine.empty_set,
    "LIST": _Machine.make_list,
    "TUPLE": _Machine.make_tuple,
    "DICT": _Machine.make_dict,
    "FROZENSET": _Machine.make_set,
    "TUPLE1": lambda machine, _: machine.short_tuple(1),
    "TUPLE2": lambda machine, _: machine.short_tuple(2),
    "TUPLE3": lambda machine, _: machine.short_tuple(3),
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "ADDITEMS": _Machine.add_items,
    "GLOBAL": _Machine.name_global,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.persistent,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
}


def _constant(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise Refused("it holds a number of more digits than any network's file")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise Refused("it holds a longer text than any network's file")
    return value


def _key(key: Any) -> Any:
    """A key that is hashed at once, however a file shares its parts."""
    if key is not None and not isinstance(key, (str, int, float, bytes)):
        raise Refused(f"it has a {type(key).__name__} for a key; names and numbers are read")
    return key


def _pairs(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise Refused("its items are in disorder")
    return dict(zip(map(_key, items[::2]), items[1::2], strict=True))


def _plain_set(items: Any) -> set[Any]:
    return set(map(_key, items))


def make_set(items: Any = ()) -> set[Any]:
    """`builtins.set` of a file: a set of names and numbers."""
    if not isinstance(items, (list, tuple, set)) or len(items) > MAX_NAMES:
        raise Refused("its items are in disorder")
    return _plain_set(items)


def reason(error: BaseException) -> str:
    """Why a file was refused, in a sentence without its subject."""
    if isinstance(error, (Refused, KinblendError)):
        return str(error)
    if isinstance(error, EOFError):
        return "it is empty or ends early"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, (ValueError, IndexError, KeyError)):
        return "it is damaged, or no file of weights at all"
    return f"it is damaged ({type(error).__name__})"


def refuse_unsound(tensors: Mapping[str, Any]) -> None:
    """Raise `Refused` naming the tensor that is no plain array of real numbers or claims more than the file holds,
    `NotFinite` naming one with NaN or infinity."""
    import torch

    total = held_by_all = 0
    held_by: dict[int, int] = {}
    for name, tensor in tensors.items():
        plain = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided and not tensor.is_quantized
        if not plain or tensor.device.type != "cpu":
            raise Refused(f"its tensor {name} is sparse, quantised or without values")
        if tensor.is_complex():
            raise Refused(f"its tensor {name} is complex; real numbers are needed")
        total += tensor.numel()
        held = tensor.untyped_storage().nbytes() // tensor.element_size()
        place = tensor.untyped_storage().data_ptr()
        held_by_all += held - held_by.get(place, 0)
        held_by[place] = held
        most = min(MAX_ELEMENTS, MAX_SHARERS * held_by_all + MAX_SHARERS * UNSHARED)
        if tensor.numel() > max(held, UNSHARED) or total > most:
            raise Refused(f"its tensor {name} claims {tensor.numel()} elements, more than a network's file holds")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NotFinite(f"its tensor {name} holds NaN or infinity")
