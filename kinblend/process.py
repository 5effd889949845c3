"""How a process is set up before torch is imported: threads, huge pages, memory that is kept."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from kinblend.resources import allowed_cores, core_quota, physical_cores

# torch asks for huge pages where the system offers them to those who ask (Linux's "madvise"): a third less time for
# large pictures, which otherwise goes into handing out pages one by one. It looks once, before its first tensor.
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"

# How many threads share an operation, and how long those that are done watch for the next one before they sleep.
# Whoever sets one of these variables has decided it.
THREADS = ("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS")
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
SPINS = 1000  # looks, some forty microseconds; GNU's OpenMP, torch's on Linux, takes 300,000, which is milliseconds

# glibc's mallopt: what it keeps of freed memory, and from which size on a piece is the system's own (man mallopt).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT, LARGE = 64 * 2**20, 32 * 2**20


def prepare_torch() -> None:
    """Set what torch and the libraries below it read when they are imported, unless a user has set it."""
    os.environ.setdefault(HUGE_PAGES, "1")
    limit_threads()
    shorten_waits()
    tune_malloc()


def limit_threads(root: Path = Path("/")) -> None:
    """Where a control group grants fewer cores than there are, have no more threads than that: they would wait.

    torch itself follows affinity, and takes one thread for each core. root: where `proc` and `sys` lie.
    """
    quota = core_quota(root)
    cores = allowed_cores()
    if quota is not None and quota < len(cores) and not any(name in os.environ for name in THREADS):
        os.environ["OMP_NUM_THREADS"] = str(max(1, min(int(quota), physical_cores(cores))))


def shorten_waits() -> None:
    """Have threads of GNU's OpenMP that wait for others soon sleep: beside other programs they would take their time
    from the very threads that they wait for."""
    if not any(name in os.environ for name in WAITING):
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)


def tune_malloc() -> bool:
    """Have glibc keep what is freed between two pictures: given back, huge pages are cleared again for each of them.

    Returns whether it will: not where the C library has no such setting, nor against a user's MALLOC_TRIM_THRESHOLD_.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None or "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return False
    return bool(mallopt(TRIM_THRESHOLD, KEPT) and mallopt(MMAP_THRESHOLD, LARGE))
