"""Other programs at work beside what is timed: processes that do nothing but keep a core busy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from kinblend.resources import usable_cores

# It looks now and then whether whoever started it is still there: killed, they could not end it.
BUSY = """
import os
parent = os.getppid()
print(flush=True)
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Within, so many processes keep a core busy each, as far as the system lets them."""
    with ExitStack() as started:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
            started.enter_context(process)  # waits for its end, and so comes after the kill
            started.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield


def fair_share(beside: int, cores: int | None = None) -> float:
    """The cores, at most one, that a program of one thread gets beside so many others that are always busy.

    cores: of the machine; default: those that this process may use.
    """
    return min(1.0, (cores or usable_cores()) / (beside + 1))


def over_fair_share(case: Mapping[str, Any], beside: int) -> float:
    """How many times as long a case took as its CPU time takes at a fair share of the machine. More threads than one
    get more than that share, so less than 1 is possible; well over 1 says that it waited for itself."""
    return float(case["seconds"] * fair_share(beside) / max(case["cpu_seconds"], 1e-9))
