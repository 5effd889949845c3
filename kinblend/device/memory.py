"""What a pool asks of a device's memory. One with a limit of its own stands in for a GPU in the tests."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.device.mmap_release import release_pages
from kinblend.device.sizes import parse_size
from kinblend.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class DeviceMemory:
    """The memory of a processor: nothing is moved, and what is mapped from files is given back after use."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def pin(self, home: Tensor) -> Tensor:
        """The tensor in memory from which it is copied to the device fastest; the same numbers."""
        return home

    def to_device(self, home: Tensor, dtype: torch.dtype) -> Tensor:
        """The tensor on the device, in that dtype; the very one where nothing has to change."""
        return home.to(self.device, dtype)

    def release(self, tensors: Iterable[Tensor], *, files: bool = False) -> None:
        """These won't be read for a while. files: nor will what else their files hold."""
        release_pages(tensors, files=files)

    def allocated(self) -> int:
        """Bytes in use now; 0 where that is not known."""
        return 0

    def peak(self, reset: bool = False) -> int:
        """The most bytes that were in use; here, of the whole process so far.

        reset: begin to count again, where that is possible.
        """
        return peak_rss()

    def limit(self, size: int | None) -> None:
        """Refuse, by an out-of-memory error, to have more than that in use at once, where that is possible."""

    def free(self) -> None:
        """Give back to the system what is kept for later."""

    def synchronize(self) -> None:
        """Wait until the device has done what it was asked."""


class CudaMemory(DeviceMemory):
    """The memory of a GPU: weights wait in pinned memory and come while the processor goes on."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        # Read once, when the first tensor comes: segments that can grow leave fewer gaps behind.
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")

    def pin(self, home: Tensor) -> Tensor:
        with suppress(RuntimeError):  # a system may refuse to pin that much; a slower copy will do
            return home if home.is_pinned() else home.pin_memory()
        return home

    def to_device(self, home: Tensor, dtype: torch.dtype) -> Tensor:
        staged = self.pin(home.to(dtype))  # rounded first: half the bytes to move
        return staged.to(self.device, non_blocking=True)

    def release(self, tensors: Iterable[Tensor], *, files: bool = False) -> None:
        """Nothing: what is on a GPU is not mapped from a file."""

    def allocated(self) -> int:
        import torch

        return torch.cuda.memory_allocated(self.device)

    def peak(self, reset: bool = False) -> int:
        import torch

        most = torch.cuda.max_memory_allocated(self.device)
        if reset:
            torch.cuda.reset_peak_memory_stats(self.device)
        return most

    def limit(self, size: int | None) -> None:
        import torch

        total = torch.cuda.get_device_properties(self.device).total_memory
        torch.cuda.set_per_process_memory_fraction(1.0 if size is None else min(1.0, size / total), self.device)

    def free(self) -> None:
        import torch

        torch.cuda.empty_cache()

    def synchronize(self) -> None:
        import torch

        torch.cuda.synchronize(self.device)


def device_memory(name: str) -> DeviceMemory:
    """The memory of a device: "auto" (CUDA where there is one, else CPU), "cpu", "cuda", "cuda:1".

    Raises `UsageError`.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"{name!r} is not a device; use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"kinblend runs on cpu and cuda, not on {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device here; use the device cpu")
    return CudaMemory(device) if device.type == "cuda" else DeviceMemory(device)


def peak_rss() -> int:
    """The most memory this process ever had resident, in bytes; 0 where the system does not say (Windows).

    Linux's `getrusage` counts what the process had that started this one, so its own record is read there.
    """
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def requested_bytes(error: BaseException) -> int:
    """How many bytes an out-of-memory error says were refused; 0 where it does not say."""
    found = re.search(r"[Tt]ried to allocate ([\d.]+ ?[KMGT]?i?B|\d+)(?: bytes)?", str(error))
    return parse_size(found[1]) if found else 0


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory, of whichever device, ran out."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
