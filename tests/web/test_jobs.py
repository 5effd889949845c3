"""One thread, a queue with an end, and work that can be given up."""

import threading
from collections.abc import Iterator

import pytest

from kinblend.errors import KinblendError
from kinblend.web.jobs import Job, JobCancelledError, QueueFullError, Worker

LONG = 10.0  # seconds nothing here comes near


@pytest.fixture
def seen() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def worker(seen) -> Iterator[Worker]:
    made = Worker(2, lambda *outcome: seen.append(outcome))
    made.start()
    yield made
    made.stop()


class Held:
    """Work that takes until it is let go."""

    def __init__(self) -> None:
        self.begun, self.free = threading.Event(), threading.Event()

    def __call__(self, job: Job[str]) -> str:
        self.begun.set()
        assert self.free.wait(LONG)
        job.check()
        return "done"


def test_work_is_done_in_order_and_no_more_than_fits_may_wait(worker: Worker, seen: list) -> None:
    held, order = Held(), []
    first = worker.submit("first", held)
    assert held.begun.wait(LONG)
    second, third = (worker.submit(name, lambda job, name=name: order.append(name)) for name in ("second", "third"))
    assert [worker.ahead_of(job) for job in (first, second, third)] == [0, 0, 1]
    with pytest.raises(QueueFullError, match="2 others"):
        worker.submit("fourth", lambda job: None)
    held.free.set()
    third.future.result(LONG)
    assert order == ["second", "third"] and first.future.result() == "done"
    assert ("fourth", "refused") in seen


def test_what_waits_leaves_the_queue_when_given_up(worker: Worker, seen: list) -> None:
    held = Held()
    worker.submit("first", held)
    assert held.begun.wait(LONG)
    waiting = worker.submit("second", lambda job: "never")
    waiting.cancel()
    assert len(worker) == 0 and waiting.future.cancelled()
    assert seen == [("second", "cancelled")]
    held.free.set()


def test_what_runs_ends_at_its_next_look(worker: Worker) -> None:
    held = Held()
    job = worker.submit("first", held)
    assert held.begun.wait(LONG)
    job.cancel()
    held.free.set()
    with pytest.raises(JobCancelledError):
        job.future.result(LONG)


def test_work_that_fails_takes_only_itself_down(worker: Worker, seen: list) -> None:
    def fail(job: Job[None]) -> None:
        raise SystemExit("a stranger's exit")

    with pytest.raises(KinblendError, match="SystemExit: a stranger's exit"):
        worker.submit("bad", fail).future.result(LONG)
    assert worker.submit("good", lambda job: 7).future.result(LONG) == 7
    assert seen[0] == ("bad", "failed")


def test_nothing_is_taken_after_the_end() -> None:
    worker = Worker(2)
    worker.start()
    worker.stop()
    with pytest.raises(QueueFullError):
        worker.submit("late", lambda job: None)


def test_clients_take_turns_and_none_takes_the_whole_queue() -> None:
    worker, held, order = Worker(8), Held(), []
    worker.start()
    worker.submit("first", held)
    assert held.begun.wait(LONG)
    asked = [("a", n) for n in range(4)] + [("b", 0), ("c", 0), ("b", 1)]
    jobs = [worker.submit("x", lambda job, name=name: order.append(name), owner=name[0]) for name in asked]
    with pytest.raises(QueueFullError, match="4 orders of yours"):
        worker.submit("x", lambda job: None, owner="a")
    assert worker.ahead_of(jobs[4]) == 1
    held.free.set()
    for job in jobs:
        job.future.result(LONG)
    assert order == [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("a", 2), ("a", 3)]
    worker.stop()
