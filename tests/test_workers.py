"""Work shared among processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import lives, needs_proc

from kinblend.errors import WorkerLostError
from kinblend.workers import LocalWorkers, Lost, ThisProcess, in_processes, opened_workers, results_in_order


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


def killed_always(job: tuple[str, int]) -> int:
    """Ends its own process whenever it is asked for 3; 5 is killed the first time only."""
    folder, number = job
    mark = Path(folder) / f"begun-{number}"
    again = mark.exists()
    mark.touch()
    if number == 3 or (number == 5 and not again):  # as a system out of memory would
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def own_id(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def fails(number: int) -> int:
    if number == 2:
        raise ValueError("two")
    return number


def test_all_jobs_are_done() -> None:
    assert sorted(in_processes(doubled, range(40), 2)) == list(range(0, 80, 2))
    assert list(in_processes(doubled, [], 2)) == []


@needs_proc
def test_the_same_processes_do_all_the_work() -> None:
    with LocalWorkers(2) as workers:
        first, second = (set(workers.run(own_id, range(8))) for _ in range(2))
        assert len(first | second) <= 2
        assert os.getpid() not in first
    assert not any(map(lives, first | second))


def test_an_error_of_a_job_is_raised_and_ends_the_processes() -> None:
    with pytest.raises(ValueError, match="two"), LocalWorkers(2) as workers:
        list(workers.run(fails, range(4)))


def test_a_job_that_kills_its_process_is_lost_and_all_others_are_done(tmp_path: Path) -> None:
    jobs = [(str(tmp_path), number) for number in range(8)]
    with LocalWorkers(2) as workers:
        found = {job[1]: result for job, result in workers.survive(killed_always, jobs)}
    assert found == {number: number for number in range(8)} | {3: Lost()}


def test_results_come_in_the_order_of_the_jobs_though_a_process_is_killed(tmp_path: Path) -> None:
    jobs, told = [(str(tmp_path), number) for number in (9, 5, 8, 7)], list[tuple[int, int]]()
    with LocalWorkers(2) as workers:
        assert results_in_order(workers, killed_always, jobs, lambda *now: told.append(now)) == [9, 5, 8, 7]
    assert told == [(count, 4) for count in range(1, 5)]
    assert results_in_order(ThisProcess(), doubled, [3, 1]) == [6, 2]


def test_a_job_that_kills_its_processes_is_named_as_the_end_of_it(tmp_path: Path) -> None:
    with LocalWorkers(1) as workers, pytest.raises(WorkerLostError, match="fewer workers"):
        results_in_order(workers, killed_always, [(str(tmp_path), 3)])


@needs_proc
def test_processes_end_with_the_one_that_started_them_however_that_ends(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom test_workers import own_id\nfrom kinblend.workers import LocalWorkers\n"
        "if __name__ == '__main__':\n    with LocalWorkers(2) as workers:\n"
        "        print(*set(workers.run(own_id, range(6))), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (tmp_path / "main.py").write_text(code)
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, tmp_path / "main.py"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,  # they hold the pipe that is read here
    )
    assert done.returncode == -signal.SIGKILL
    processes = [int(word) for word in done.stdout.split()]
    assert processes
    deadline = time.monotonic() + 60
    while any(map(lives, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(lives, processes))


def test_a_killed_process_is_an_error_and_not_a_wait_without_end(tmp_path: Path) -> None:
    jobs = [(str(tmp_path), number) for number in range(10)]
    with pytest.raises(WorkerLostError, match="it goes on where it was ended"):
        list(in_processes(killed_once, jobs, 2))
    assert sorted(in_processes(killed_once, jobs, 2)) == list(range(10))


def test_a_number_of_workers_is_as_many_processes_as_there_are_jobs_for() -> None:
    with opened_workers(3, 2) as workers:
        assert isinstance(workers, LocalWorkers)
        assert workers.count == 2
    for count, jobs in ((1, 5), (5, 1), (5, 0)):
        with opened_workers(count, jobs) as workers:
            assert isinstance(workers, ThisProcess)
            assert list(workers.survive(doubled, range(jobs))) == [(n, 2 * n) for n in range(jobs)]
    given = ThisProcess()
    with opened_workers(given, 9) as workers:
        assert workers is given
