"""Work shared among processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from kinblend.errors import WorkerLostError
from kinblend.workers import in_processes


def doubled(number: int) -> int:
    return 2 * number


def killed_once(job: tuple[str, int]) -> int:
    """Ends its own process, as a system out of memory would, the first time."""
    folder, number = job
    mark = Path(folder) / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return number


def test_all_jobs_are_done() -> None:
    assert sorted(in_processes(doubled, range(40), 2)) == list(range(0, 80, 2))
    assert list(in_processes(doubled, [], 2)) == []


def test_a_killed_process_is_an_error_and_not_a_wait_without_end(tmp_path: Path) -> None:
    jobs = [(str(tmp_path), number) for number in range(10)]
    with pytest.raises(WorkerLostError, match="it goes on where it was ended"):
        list(in_processes(killed_once, jobs, 2))
    assert sorted(in_processes(killed_once, jobs, 2)) == list(range(10))
