"""Much work of one kind through processes of one thread each: the networks are too small for more."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import TracebackType
from typing import Protocol, Self, TypeVar

from kinblend.errors import WorkerLostError
from kinblend.resources import available_memory, usable_cores

Job = TypeVar("Job")
Result = TypeVar("Result")
MEMORY_EACH = 600 * 2**20  # bytes of a process, beside the weights of its models


@dataclass(frozen=True)
class Lost:
    """There is no result: the processes that began with the job were killed, one after the other."""


class Workers(Protocol):
    """What does jobs for others, here or elsewhere."""

    def run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """The results of `work`, a module's function, as they come, in any order.

        Raises `WorkerLostError` where a process was killed; `run` can be called again afterwards.
        """
        ...

    def survive(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result | Lost]]:
        """Jobs and their results, whatever happens to processes: jobs of a killed one are done again.

        Raises `WorkerLostError` where no process can even begin.
        """
        ...


class ThisProcess:
    """The process that asks, alone: nothing has to be started, and nothing protects from what a job does to it."""

    def run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """See `Workers.run`. On one thread, as the processes of `LocalWorkers` are: the same bytes."""
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield from map(work, jobs)
        finally:
            torch.set_num_threads(threads)

    def survive(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result | Lost]]:
        """See `Workers.survive`. If this process is killed, nothing survives."""
        yield from zip(jobs, self.run(work, jobs), strict=True)


class LocalWorkers:
    """So many processes of this machine, started when there is work. They end with the one that started them.

    Example:
        >>> with LocalWorkers(2) as workers:
        ...     sorted(workers.run(abs, [-2, 1]))
        [1, 2]
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._executor: ProcessPoolExecutor | None = None
        self._processes: list[BaseProcess] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(at_once=kind is not None)

    def run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """See `Workers.run`."""
        if not jobs:
            return
        try:
            for future in as_completed(self._submitted(work, jobs)):
                yield future.result()
        except BrokenProcessPool:
            self._end(at_once=True)
            raise WorkerLostError(
                "one of the processes was killed; out of memory? Run the same command again, with fewer workers if "
                "so: it goes on where it was ended"
            ) from None

    def survive(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result | Lost]]:
        """See `Workers.survive`. Jobs of a killed process are done again, alone; one that is alone in its process
        when that is killed once more is the cause, and is lost."""
        left = dict(enumerate(jobs))
        while left:
            with TemporaryDirectory(prefix="kinblend-claims-") as claims:
                try:
                    for number, result in self.run(partial(_claimed, work, claims), list(left.items())):
                        yield left.pop(number), result
                except WorkerLostError:
                    begun = sorted(_begun(Path(claims)) & left.keys())
                    if not begun:
                        raise
                    for number in begun:
                        job = left.pop(number)
                        yield job, _alone(work, job)

    def _submitted(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> list[Future[Result]]:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(self.count, get_context("spawn"), _set_up)
        before = set(active_children())
        futures = [self._executor.submit(work, job) for job in jobs]
        self._processes += set(active_children()) - before
        return futures

    def _end(self, *, at_once: bool) -> None:
        """End the processes. at_once: in the middle of their jobs."""
        if self._executor is None:
            return
        if at_once:
            for process in self._processes:
                process.terminate()
        self._executor.shutdown(cancel_futures=True)
        self._executor, self._processes = None, []


def in_processes(work: Callable[[Job], Result], jobs: Sequence[Job], count: int) -> Iterator[Result]:
    """The results of `work`, a module's function, as they come; `count` processes of one thread each.

    Raises `WorkerLostError` where a process was killed, for example by a system that ran out of memory.
    """
    with LocalWorkers(count) as workers:
        yield from workers.run(work, jobs)


@contextmanager
def opened_workers(workers: int | Workers, jobs: int) -> Iterator[Workers]:
    """Those workers; of a number, so many processes of this machine, but no more than there are jobs, or this process
    where one would do."""
    if not isinstance(workers, int):
        yield workers
    elif min(workers, jobs) > 1:
        with LocalWorkers(min(workers, jobs)) as started:
            yield started
    else:
        yield ThisProcess()


def results_in_order(
    workers: Workers,
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[Result]:
    """The results of `work`, a module's function, in the order of the jobs; those of a killed process are done again.

    progress: told how many of how many are done. Raises `WorkerLostError` for a job that killed its processes, and
    where none can even begin.
    """
    found: dict[int, Result] = {}
    for (number, _), result in workers.survive(partial(_numbered, work), list(enumerate(jobs))):
        if isinstance(result, Lost):
            raise WorkerLostError(
                "the processes that did one of the jobs were killed, one after the other; out of memory? Try again "
                "with fewer workers"
            )
        found[number] = result
        progress(len(found), len(jobs))
    return [found[number] for number in range(len(jobs))]


def suggested_workers(weights: int = 0) -> int:
    """How many processes this machine has room for, at least 1: a core each, and memory.

    weights: bytes of the files of models that each process opens. They are mapped, and so shared for the most part;
    that they are counted for each leaves room for pictures.
    """
    memory = available_memory()
    fitting = usable_cores() if memory is None else memory // (MEMORY_EACH + weights)
    return max(1, min(usable_cores(), fitting))


def _alone(work: Callable[[Job], Result], job: Job) -> Result | Lost:
    try:
        [result] = in_processes(work, [job], 1)
    except WorkerLostError:
        return Lost()
    return result


def _numbered(work: Callable[[Job], Result], numbered: tuple[int, Job]) -> Result:
    return work(numbered[1])


def _claimed(work: Callable[[Job], Result], claims: str, numbered: tuple[int, Job]) -> tuple[int, Result]:
    """A job's number and its result. Whoever finds the job's file knows that it was begun and not ended."""
    number, job = numbered
    claim = Path(claims) / str(number)
    claim.touch()
    result = work(job)
    claim.unlink(missing_ok=True)
    return number, result


def _begun(claims: Path) -> set[int]:
    return {int(path.name) for path in claims.iterdir() if path.name.isdecimal()}


def _set_up() -> None:
    """Set up a process for jobs: one thread. Ctrl-C is for the process that started it, with which it ends."""
    from kinblend.process import prepare_torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # read when torch is imported
    prepare_torch()


def _end_with(parent: BaseProcess | None) -> None:
    """Wait until the process that started this one is gone, however it ended. What is written is written whole."""
    if parent is not None:
        parent.join()
        os._exit(1)
