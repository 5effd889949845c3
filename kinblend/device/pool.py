"""Lends the compute device to one module at a time and keeps within a memory budget."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from kinblend.cancellation import check_cancelled
from kinblend.device.memory import DeviceMemory, device_memory, is_out_of_memory, requested_bytes
from kinblend.device.placement import Placement
from kinblend.device.precision import dtype_of, parse_precision
from kinblend.device.sizes import format_size, parse_size
from kinblend.errors import DeviceMemoryError, UsageError
from kinblend.interfaces import require_values

if TYPE_CHECKING:
    import torch
    from torch import nn

LOG = logging.getLogger(__name__)
MAX_RECORDS = 1000  # leases whose record is kept
POLL_SECONDS = 0.1  # seconds after which a thread that waits asks whether it still has to

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class LeaseRecord:
    """What one lease took.

    name: under which it was asked. seconds: wall time. bytes: that its weights, and what is made of them, take on the
        device.
    peak_bytes: the most in use on the device during it; on a CPU, the most this process had resident so far.
    moved_bytes: weights that were copied for it.
    """

    name: str
    seconds: float
    bytes: int
    peak_bytes: int
    moved_bytes: int


class FairLock:
    """One thread at a time, in the order in which they ask; the thread whose turn it is may ask again."""

    def __init__(self) -> None:
        self._changed, self._waiting = threading.Condition(), deque[int]()
        self._depth = 0  # how often the first in line has asked

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait for this thread's turn. Raises what `check_cancelled` does, if the wait is given up."""
        me = threading.get_ident()
        with self._changed:
            if not (self._depth and self._waiting[0] == me):
                self._waiting.append(me)
                try:
                    while self._waiting[0] != me:
                        self._changed.wait(POLL_SECONDS)
                        check_cancelled()
                except BaseException:
                    self._waiting.remove(me)
                    self._changed.notify_all()
                    raise
            self._depth += 1
        try:
            yield
        finally:
            with self._changed:
                self._depth -= 1
                if not self._depth:
                    self._waiting.popleft()
                    self._changed.notify_all()


class DevicePool:
    """Lends a device to one module after the other, within a memory budget.

    Args:
        device: "auto" (CUDA where there is one, else CPU), "cpu", "cuda", "cuda:1".
        budget: bytes that weights may take on the device, a number or "2GiB"; None for no limit. On CUDA all that
            PyTorch holds there is kept within it.
        precision: "fp32", "bf16", "fp16", or "auto", which is fp32; and for single leases "bf16,projector=fp32" or
            {"encoder": "bf16"}.
        memory: the device's; by default that of `device`.

    Raises:
        UsageError: for a device that is not there, and a budget or a precision that can't be read.

    Modules stay on the device while the budget allows and leave least recently used first; one that is too large
    comes in pieces if it can (see `Placement`). What modules make of their weights to be faster counts, and they do
    without where the budget has no room for it. On exit every module is back on the CPU with the very numbers it came
    with: a lease in half precision rounds copies, and a lease is no place to train.

    Leases nest and may be taken from several threads. With a budget the threads take turns, in the order in which
    they ask: what fits for one of them then fits for all. So a thread must not wait, within a lease, for another that
    asks for one.

    Example:
        >>> import torch
        >>> with DevicePool("cpu", budget="1MiB") as pool, pool.lease(torch.nn.Linear(8, 2)) as module:
        ...     tuple(module(torch.zeros(1, 8)).shape)
        (1, 2)
    """

    def __init__(
        self,
        device: str = "auto",
        budget: str | float | None = None,
        precision: str | Mapping[str, str] = "auto",
        *,
        memory: DeviceMemory | None = None,
    ) -> None:
        self.budget = None if budget is None else parse_size(budget)
        self.precisions = parse_precision(precision)
        self.memory = device_memory(device) if memory is None else memory
        self.records: list[LeaseRecord] = []
        self._resident: OrderedDict[int, Placement] = OrderedDict()
        self._lock = threading.RLock()
        self._fair_lock = FairLock()

    def __enter__(self) -> DevicePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @property
    def device(self) -> torch.device:
        """Where modules are lent."""
        return self.memory.device

    @property
    def precision(self) -> str:
        """As it is written: "fp32", or "fp32,encoder=bf16"."""
        return ",".join(f"{name}={kind}" if name else kind for name, kind in self.precisions.items())

    @property
    def dtype(self) -> torch.dtype:
        """That of leases without a precision of their own."""
        return dtype_of(self.precisions[""])

    @contextmanager
    def lease(self, module: nn.Module | None, name: str = "") -> Iterator[nn.Module | None]:
        """The module on the device for the time of the `with` block.

        module: None (a plugin without a network) is lent as it is. name: for the records, and to look up its
        precision.
        Raises `DeviceMemoryError` if the budget can't hold it beside what this thread has leased already.
        """
        if module is None:
            yield None
            return
        name = name or type(module).__name__
        with nullcontext() if self.budget is None else self._fair_lock.hold():
            started = time.perf_counter()
            with self._lock:
                known = self._resident.get(id(module))
                placement = self._admit(module, name)
                before = placement.moved if placement is known else 0  # in another precision it comes anew
                placement.leases += 1
                self.memory.peak(reset=True)
            LOG.debug("%s: leased, %s on %s", name, format_size(placement.size), self.device)
            try:
                yield module
            finally:
                with self._lock:
                    placement.leases -= 1
                    if not placement.leases:
                        placement.release()
                    self._record(
                        LeaseRecord(name, time.perf_counter() - started, placement.size, 0, placement.moved - before)
                    )

    def batched(self, work: Callable[[Sequence[A]], list[R]], items: Sequence[A]) -> list[R]:
        """The results of `work`, called with all items; where memory runs out, with half as many at a time.

        Raises `DeviceMemoryError`, which says how much would do, if it runs out for a single one.
        """
        done: list[R] = []
        count = len(items)
        while len(done) < len(items):
            try:
                done += work(items[len(done) : len(done) + count])
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if count == 1:
                    raise self._too_small(error) from error
                count = (count + 1) // 2
                self._evict_idle()
        return done

    def release(self) -> None:
        """Send every module home that is not leased, and give the device memory back."""
        with self._lock:
            self._evict_idle()
            if not self._resident:
                self.memory.limit(None)

    @property
    def resident_bytes(self) -> int:
        """Bytes of all weights on the device now."""
        return sum(placement.size for placement in self._resident.values())

    def _admit(self, module: nn.Module, name: str) -> Placement:
        key, dtype = id(module), dtype_of(self.precisions.get(name, self.precisions[""]))
        placement = self._resident.get(key)
        if placement and placement.dtype != dtype and placement.leases:
            raise UsageError(f"{name} is lent in {placement.dtype} already; give all its leases one precision")
        if placement and placement.dtype == dtype:
            self._resident.move_to_end(key)
            return placement
        if placement:
            self._evict(key)
        require_values(module, name or type(module).__name__)
        placement = Placement(module, dtype, self.memory, self.budget)
        placement.may_cache_weights = placement.may_cache_weights and self._would_fit(placement.size)
        self._make_room(placement.size)
        self._load(placement)
        self._resident[key] = placement
        return placement

    def _load(self, placement: Placement) -> None:
        """Bring the module; where memory runs out though the budget allows it, without those that are idle."""
        self.memory.limit(self.budget)
        try:
            placement.load()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._evict_idle()
            try:
                placement.load()
            except Exception as again:
                if not is_out_of_memory(again):
                    raise
                raise self._too_small(again) from again

    def _too_small(self, error: BaseException) -> DeviceMemoryError:
        """What to say when memory ran out though nothing more can be left away."""
        needed = self.memory.peak() + requested_bytes(error)
        if self.budget is not None:
            size = format_size(self.budget)
            return DeviceMemoryError(
                f"the memory budget of {size} is too small for one picture at a time: give at least {needed} bytes"
            )
        return DeviceMemoryError(
            f"the memory of {self.device} ran out for one picture at a time, about {format_size(needed)} are needed: "
            "free some, or use the precision fp16 or the device cpu"
        )

    def _would_fit(self, size: int) -> bool:
        """Whether so much fits beside what is leased, were all that is idle gone."""
        leased = sum(placement.size for placement in self._resident.values() if placement.leases)
        return self.budget is None or leased + size <= self.budget

    def _make_room(self, size: int) -> None:
        if self.budget is None:
            return
        for key, placement in list(self._resident.items()):
            if self.resident_bytes + size <= self.budget:
                return
            if not placement.leases:
                self._evict(key)
        needed = self.resident_bytes + size
        if needed > self.budget:
            raise DeviceMemoryError(
                f"the memory budget of {format_size(self.budget)} can't hold this model: give at least {needed} bytes"
            )

    def _evict_idle(self) -> None:
        """Everything that is idle goes home."""
        with self._lock:
            for key, placement in list(self._resident.items()):
                if not placement.leases:
                    self._evict(key)
            self.memory.free()

    def _evict(self, key: int) -> None:
        placement = self._resident.pop(key)
        LOG.debug("%s: leaves %s", type(placement.module).__name__, self.device)
        placement.unload()

    def _record(self, record: LeaseRecord) -> None:
        self.records.append(replace(record, peak_bytes=self.memory.peak()))
        del self.records[:-MAX_RECORDS]
