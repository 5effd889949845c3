"""One thread does the engine's work, from one queue that has an end and lets clients take turns."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from kinblend.cancellation import cancellable
from kinblend.errors import KinblendError, UsageError, summarize

T = TypeVar("T")
ENDING = 20.0  # seconds that the running job may take to end


class QueueFullError(KinblendError):
    """So many wait already that nobody else may."""


class JobCancelledError(KinblendError):
    """Whoever asked has left."""


class TooLongError(UsageError):
    """A piece of work took longer than any may."""


class Job(Generic[T]):
    """One piece of work. kind: for the metrics. seconds: it may take. owner: the client. future: what comes of it."""

    def __init__(
        self, kind: str, work: Callable[[Job[T]], T], worker: Worker, seconds: float, owner: str | None = None
    ) -> None:
        self.kind, self.owner = kind, owner
        self.turn = 0  # how many of the same client wait before it
        self.future: Future[T] = Future()
        self._work = work
        self._worker = worker
        self._cancelled = threading.Event()
        self._seconds, self._end = seconds, math.inf

    def cancel(self) -> None:
        """Nobody wants it any more: it leaves the queue or, if it runs, ends at the next `check`."""
        self._cancelled.set()
        self._worker.drop(self)
        self.future.cancel()

    def check(self) -> None:
        """Raise `JobCancelledError` where nobody waits, `TooLongError` where it takes too long.

        Asked by `kinblend.cancellation` wherever work takes long.
        """
        if self._cancelled.is_set():
            raise JobCancelledError("whoever asked has left")
        if time.monotonic() > self._end:
            raise TooLongError(f"this took more than {self._seconds:.0f} s and was ended; ask for less at a time")

    def run(self) -> str:
        """Do it, unless it was given up. Returns how it ended: "done", "failed", "cancelled"."""
        if not self.future.set_running_or_notify_cancel():
            return "cancelled"
        self._end = time.monotonic() + self._seconds
        try:
            with cancellable(self.check):
                result = self._work(self)
            self.future.set_result(result)
        except JobCancelledError as error:
            self.future.set_exception(error)
            return "cancelled"
        # Whatever goes wrong belongs to who asked; the thread goes on, and so does the loop that waits.
        except BaseException as error:
            self.future.set_exception(error if isinstance(error, Exception) else KinblendError(summarize(error)))
            return "failed"
        return "done"


class Worker:
    """The thread. limit: how many jobs may wait. observe: told kind and outcome of each job that ends.

    seconds: that a job may take, unless it is said otherwise.
    """

    def __init__(
        self,
        limit: int,
        observe: Callable[[str, str], None] = lambda kind, outcome: None,
        seconds: float = math.inf,
    ) -> None:
        self.limit, self._seconds = limit, seconds
        self._observe = observe
        self._waiting: deque[Job[Any]] = deque()
        self._running: list[Job[Any]] = []  # one, or none
        self._changed = threading.Condition()
        self._open = True
        self._thread = threading.Thread(target=self._loop, name="kinblend-engine", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Give up what waits and what runs; the latter ends at its next look."""
        with self._changed:
            self._open = False
            left = [*self._waiting, *self._running]
            self._changed.notify()
        for job in left:
            job.cancel()
        self._thread.join(ENDING)

    def submit(
        self,
        kind: str,
        work: Callable[[Job[T]], T],
        seconds: float | None = None,
        owner: str | None = None,
    ) -> Job[T]:
        """Queue a piece of work. seconds: it may take. owner: the client who asks; None: nobody's.

        A client's first job goes before another client's second, and half of the queue is the most that one may take.
        Raises `QueueFullError`.
        """
        job = Job(kind, work, self, self._seconds if seconds is None else seconds, owner)
        with self._changed:
            job.turn = sum(other.owner == owner for other in self._waiting) if owner is not None else 0
            if len(self._waiting) >= self.limit or not self._open:
                self._observe(kind, "refused")
                raise QueueFullError(f"{len(self._waiting)} others are waiting; try again in a few seconds")
            if job.turn >= max(1, self.limit // 2):
                self._observe(kind, "refused")
                raise QueueFullError(f"{job.turn} orders of yours are waiting; try again in a few seconds")
            later = (place for place, other in enumerate(self._waiting) if other.turn > job.turn)
            self._waiting.insert(next(later, len(self._waiting)), job)
            self._changed.notify()
        return job

    def drop(self, job: Job[Any]) -> None:
        """Take a job out of the queue, if it is in it."""
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                self._observe(job.kind, "cancelled")

    def ahead_of(self, job: Job[Any]) -> int:
        """How many wait before it; 0 where it runs or has run."""
        with self._changed:
            return self._waiting.index(job) if job in self._waiting else 0

    def __len__(self) -> int:
        return len(self._waiting)

    def _loop(self) -> None:
        while (job := self._next()) is not None:
            self._observe(job.kind, job.run())
            self._running = []
            del job  # what it holds must not outlive it until the next one comes

    def _next(self) -> Job[Any] | None:
        with self._changed:
            while self._open and not self._waiting:
                self._changed.wait()
            self._running = [self._waiting.popleft()] if self._open else []
            return self._running[0] if self._running else None
