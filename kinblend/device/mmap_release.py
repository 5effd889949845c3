"""Gives back the memory of weights that are mapped from a file. They are read again from it when they are next used.

A page that was written to is no longer the file's: a range with such a page is left alone, so nothing can be lost.
Only on Linux; elsewhere nothing is given back.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from bisect import bisect_left
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Bits of an entry of /proc/self/pagemap, as the kernel's Documentation/admin-guide/mm/pagemap.rst has them.
_PRESENT, _SWAPPED, _FILE = 1 << 63, 1 << 62, 1 << 61

Range = tuple[int, int]  # addresses, the second one excluded


def release_pages(tensors: Iterable[Tensor], *, files: bool = False) -> int:
    """Give back the pages of those tensors that are mapped from a file; the bytes that were given back.

    files: give back all that is mapped around them too, such as tensors of the same file that nobody holds any more.
    """
    if sys.platform != "linux":
        return 0
    spans = [
        (tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * tensor.element_size())
        for tensor in tensors
        if tensor.device.type == "cpu" and tensor.numel() and not tensor.is_sparse
    ]
    with suppress(OSError):
        return sum(_forget(_whole_pages(span)) for span in (_around(spans) if files else spans))
    return 0


def _around(spans: Iterable[Range]) -> list[Range]:
    """The mappings of files that hold the spans."""
    starts, found = sorted(start for start, _ in spans), []
    for line in Path("/proc/self/maps").read_text().splitlines():
        ends, *_, name = line.split(maxsplit=5)
        low, high = (int(end, 16) for end in ends.split("-"))
        first = bisect_left(starts, low)  # a process has a thousand mappings, a network hundreds of tensors
        if name.startswith("/") and first < len(starts) and starts[first] < high:
            found.append((low, high))
    return found


def _whole_pages(span: Range) -> Range:
    size = mmap.PAGESIZE
    return -(-span[0] // size) * size, span[1] // size * size


def _forget(span: Range) -> int:
    start, stop = span
    if stop <= start or not (resident := _clean(start, stop)):
        return 0
    if ctypes.CDLL(None).madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), mmap.MADV_DONTNEED):
        return 0
    return resident * mmap.PAGESIZE


def _clean(start: int, stop: int) -> int:
    """How many pages of the range are in memory; 0 if one of them is not the file's own."""
    import numpy as np

    first, count = start // mmap.PAGESIZE, (stop - start) // mmap.PAGESIZE
    with Path("/proc/self/pagemap").open("rb") as file:
        file.seek(first * 8)
        entries = np.frombuffer(file.read(count * 8), dtype=np.uint64)
    present = (entries & np.uint64(_PRESENT)) != 0
    foreign = present & ((entries & np.uint64(_FILE)) == 0) | ((entries & np.uint64(_SWAPPED)) != 0)
    return 0 if foreign.any() else int(present.sum())
