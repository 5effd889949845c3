"""Many pictures through processes of one thread each: the networks are too small for more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import TimeoutError as NothingYet
from multiprocessing import active_children, get_context
from multiprocessing.pool import IMapIterator
from typing import TypeVar

from kinblend.errors import WorkerLostError

Job = TypeVar("Job")
Result = TypeVar("Result")
LOOK = 2.0  # seconds between looks at whether all processes still live


def in_processes(work: Callable[[Job], Result], jobs: Sequence[Job], count: int) -> Iterator[Result]:
    """The results of `work`, a module's function, as they come; `count` processes of one thread each.

    Raises `WorkerLostError` where a process was killed, for example by a system that ran out of memory.
    """
    with get_context("spawn").Pool(count, _one_thread) as pool:
        ours = {child.pid for child in active_children()}
        results = pool.imap_unordered(work, jobs)
        while (result := _next(results, ours)) is not None:
            yield result[0]


def _next(results: IMapIterator[Result], processes: set[int | None]) -> tuple[Result] | None:
    """The next result, or None after the last. A pool replaces a process that died, and waits for its job forever."""
    while True:
        try:
            return (results.next(LOOK),)
        except StopIteration:
            return None
        except NothingYet:
            if not processes <= {child.pid for child in active_children()}:
                raise WorkerLostError(
                    "one of the processes was killed; out of memory? Run the same command again, with fewer "
                    "workers if so: it goes on where it was ended"
                ) from None


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)
