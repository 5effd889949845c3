"""Lends the compute device to one module at a time and keeps within a memory budget."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from kinblend.device.sizes import format_size, parse_size
from kinblend.errors import DeviceMemoryError, UsageError

if TYPE_CHECKING:
    import torch
    from torch import nn

Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class LeaseRecord:
    """What one lease took: the name it was asked under, its wall time and the bytes its weights take."""

    name: str
    seconds: float
    bytes: int


class DevicePool:
    """`with DevicePool(device="auto", budget="2GiB") as pool: with pool.lease(module) as m: …`

    device: "auto" (CUDA where there is one, else CPU), "cpu", "cuda", "cuda:1".
    budget: bytes that weights may take on the device, a number or "2GiB"; None for no limit.
    precision: "fp32", "bf16", "fp16", or "auto", which is fp32.

    Modules stay on the device while the budget allows and leave least recently used first. On exit every module is
    back on the CPU with the very numbers it came with: a lease in half precision rounds copies. Leases nest and may
    be taken from several threads.
    """

    def __init__(
        self, device: str = "auto", budget: str | float | None = None, precision: Precision = "auto"
    ) -> None:
        self.device = _device(device)
        self.budget = None if budget is None else parse_size(budget)
        self.dtype = _dtype(precision)
        self.precision = "fp32" if precision == "auto" else precision
        self.records: list[LeaseRecord] = []
        self._resident: OrderedDict[int, nn.Module] = OrderedDict()
        self._masters: dict[int, list[tuple[nn.Module, str, torch.Tensor]]] = {}
        self._leases: dict[int, int] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> DevicePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    @contextmanager
    def lease(self, module: nn.Module | None, name: str = "") -> Iterator[nn.Module | None]:
        """The module on the device, in the pool's precision, for the time of the `with` block.

        module: None (a plugin without a network) is lent as it is.
        Raises `DeviceMemoryError` if the budget can't hold it beside what is leased already.
        """
        if module is None:
            yield None
            return
        started, size = time.perf_counter(), 0
        with self._lock:
            size = self._admit(module)
            self._leases[id(module)] = self._leases.get(id(module), 0) + 1
        try:
            yield module
        finally:
            with self._lock:
                self._leases[id(module)] -= 1
                self.records.append(LeaseRecord(name or type(module).__name__, time.perf_counter() - started, size))

    def release(self) -> None:
        """Send every module home and give the device memory back."""
        with self._lock:
            for module in list(self._resident.values()):
                self._evict(module)
            if self.device.type == "cuda":
                import torch

                torch.cuda.empty_cache()

    @property
    def resident_bytes(self) -> int:
        """Bytes of all weights on the device now."""
        return sum(_size(module) for module in self._resident.values())

    def _admit(self, module: nn.Module) -> int:
        key = id(module)
        if key in self._resident:
            self._resident.move_to_end(key)
            return _size(module)
        size = _size(module, self.dtype)
        self._make_room(size)
        floats = _floats(module)
        if any(tensor.dtype != self.dtype for _, _, tensor in floats):
            self._masters[key] = floats
        module.to(device=self.device, dtype=self.dtype)
        self._resident[key] = module
        return size

    def _make_room(self, size: int) -> None:
        if self.budget is None:
            return
        for key, module in list(self._resident.items()):
            if self.resident_bytes + size <= self.budget:
                return
            if not self._leases.get(key):
                self._evict(module)
        needed = self.resident_bytes + size
        if needed > self.budget:
            raise DeviceMemoryError(
                f"the memory budget of {format_size(self.budget)} can't hold this model: "
                f"give at least --memory-budget {needed}"
            )

    def _evict(self, module: nn.Module) -> None:
        del self._resident[id(module)]
        module.to(device="cpu")
        for part, name, tensor in self._masters.pop(id(module), ()):
            parameter = part._parameters.get(name)
            if parameter is not None:
                parameter.data = tensor
            else:
                part._buffers[name] = tensor


def _device(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"{name!r} is no device; use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"kinblend runs on cpu and cuda, not on {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device here; use --device cpu")
    return device


def _dtype(precision: str) -> torch.dtype:
    import torch

    names = {"auto": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    try:
        return names[precision]
    except KeyError:
        raise UsageError(f"precision {precision!r}: use {', '.join(names)}") from None


def _floats(module: nn.Module) -> list[tuple[nn.Module, str, torch.Tensor]]:
    """Every parameter and buffer of floats: where it hangs, its name there and its values."""
    return [
        (part, name, tensor.data)
        for part in module.modules()
        for name, tensor in (*part._parameters.items(), *part._buffers.items())
        if tensor is not None and tensor.is_floating_point()
    ]


def _size(module: nn.Module, dtype: torch.dtype | None = None) -> int:
    tensors = [*module.parameters(), *module.buffers()]
    return sum(
        tensor.numel() * (dtype if dtype and tensor.is_floating_point() else tensor.dtype).itemsize
        for tensor in tensors
    )
