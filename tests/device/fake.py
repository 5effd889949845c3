"""A device memory with a limit of its own, on the CPU: what a pool does with a GPU can be watched anywhere."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from kinblend.device import DeviceMemory


class FakeMemory(DeviceMemory):
    """Counts the bytes of every tensor that came and was not let go; refuses more than `total` and the set limit."""

    def __init__(self, total: int = 1 << 40) -> None:
        super().__init__(torch.device("cpu"))
        self.total, self.most, self.set_limit, self.freed = total, 0, total, 0
        self.held: list[tuple[StorageWeakRef, int]] = []

    def to_device(self, home: Tensor, dtype: torch.dtype) -> Tensor:
        there = home.to(dtype, copy=True)
        self.take(there.numel() * there.element_size(), there)
        return there

    def take(self, size: int, owner: Tensor) -> None:
        """Use `size` bytes as long as the numbers of `owner` are kept."""
        if self.allocated() + size > min(self.total, self.set_limit):
            raise torch.OutOfMemoryError(f"out of memory. Tried to allocate {size} bytes")
        self.held.append((StorageWeakRef(owner.untyped_storage()), size))
        self.most = max(self.most, self.allocated())

    def release(self, tensors: Iterable[Tensor], *, files: bool = False) -> None:
        """Nothing here is mapped from a file."""

    def allocated(self) -> int:
        self.held = [(storage, size) for storage, size in self.held if not storage.expired()]
        return sum(size for _, size in self.held)

    def peak(self, reset: bool = False) -> int:
        most = self.most
        if reset:
            self.most = self.allocated()
        return most

    def limit(self, size: int | None) -> None:
        self.set_limit = self.total if size is None else size

    def free(self) -> None:
        self.freed += 1
