"""What a threat came to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from memory import peak, start_anew


@dataclass
class Outcome:
    """tries: how many. failures: a line for each that was not survived. note: the worst that was measured.

    late: what took longer than it may, which says nothing where others use the machine.
    """

    tries: int = 0
    failures: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    note: str = ""

    def count(self, survived: bool, failure: object) -> None:
        """One more try. failure: what to say where it was not survived."""
        self.tries += 1
        if not survived:
            self.failures.append(str(failure)[:300])


# A share of the whole (1: `make trust`) and an empty folder to work in.
Threat = Callable[[float, Path], Outcome]


@contextmanager
def timed() -> Iterator[list[float]]:
    """Afterwards, in the list: CPU seconds of this thread, and bytes by which the process's memory grew."""
    found: list[float] = []
    before, begun = start_anew(), time.thread_time()
    try:
        yield found
    finally:
        found += [time.thread_time() - begun, peak() - before]
