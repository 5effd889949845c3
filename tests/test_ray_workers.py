"""Work shared among the machines of a Ray cluster: two, in processes of this one. Only where ray is installed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plugin_site import here

from kinblend.errors import UsageError, WorkerLostError
from kinblend.ray_workers import ATTEMPTS, RayWorkers
from kinblend.workers import Lost, results_in_order

ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'kinblend[ray]'")
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two machines of one core each, to which this process is connected."""
    from ray.cluster_utils import Cluster

    folder = str(Path(__file__).parent)  # where the machines find this module
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def with_process(number: int) -> tuple[int, int, str]:
    time.sleep(0.02)
    return number, os.getpid(), os.environ["OMP_NUM_THREADS"]


def killed(job: tuple[str, int]) -> int:
    """Ends its own process, as a system out of memory would: for 3 always, for 5 the first time."""
    folder, number = job
    mark = Path(folder) / f"begun-{number}"
    again = mark.exists()
    mark.touch()
    if number == 3 or (number == 5 and not again):
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fails(number: int) -> int:
    if number == 2:
        raise ValueError("two")
    return number


def test_all_jobs_are_done_by_processes_of_one_thread_that_are_used_again(cluster: Any) -> None:
    with RayWorkers() as workers:
        found = list(workers.run(with_process, range(30)))
    assert sorted(number for number, _, _ in found) == list(range(30))
    assert {threads for _, _, threads in found} == {"1"}
    processes = {process for _, process, _ in found}
    assert 1 < len(processes) <= 4
    assert os.getpid() not in processes
    assert ray.is_initialized()  # a connection that was there stays


def test_a_job_that_kills_its_process_is_lost_and_all_others_are_done(cluster: Any, tmp_path: Path) -> None:
    jobs = [(str(tmp_path), number) for number in range(8)]
    with RayWorkers() as workers:
        found = {job[1]: result for job, result in workers.survive(killed, jobs)}
    assert found == {number: number for number in range(8)} | {3: Lost()}
    with RayWorkers() as workers, pytest.raises(WorkerLostError, match=f"{ATTEMPTS} processes"):
        list(workers.run(killed, jobs))


def test_an_error_of_a_job_is_raised(cluster: Any) -> None:
    with RayWorkers() as workers, pytest.raises(ValueError, match="two"):
        list(workers.run(fails, range(4)))


def test_after_an_error_the_same_workers_do_other_work(cluster: Any) -> None:
    """An encoder that fails is left out of an evaluation; what was handed out of its work is given up."""
    with RayWorkers() as workers:
        with pytest.raises(ValueError, match="two"):
            results_in_order(workers, fails, range(2, 9))
        assert [found[0] for found in results_in_order(workers, with_process, range(9))] == list(range(9))


def test_more_of_a_gpu_than_there_is(cluster: Any) -> None:
    with RayWorkers(gpus_each=0.5) as workers, pytest.raises(WorkerLostError, match="no GPU left"):
        list(workers.run(fails, range(2)))
    with pytest.raises(UsageError, match="0 to 1"):
        RayWorkers(gpus_each=2)


def test_a_machine_that_goes_away_in_the_middle_loses_nothing(cluster: Any) -> None:
    third = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    with RayWorkers() as workers:
        found = []
        for number, _, _ in workers.run(with_process, range(60)):
            found.append(number)
            if len(found) == 10:
                cluster.remove_node(third)
    assert sorted(found) == list(range(60))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ray", "auto", "--workers", 2], "--workers counts processes of this machine"),
        (["--gpus-each", 0.5], "give --ray, too"),
        (["--ray", "auto", "--gpus-each", 2], "--gpus-each"),
    ],
)
def test_flags_that_do_not_go_together(words: list[object], said: str, tmp_path: Path) -> None:
    table = tmp_path / "couples.csv"
    table.write_text("father,mother\na.png,b.png\n")
    code, _, error = here("batch", table, "--out", tmp_path / "out", *words)
    assert (code, said in error) == (2, True), error
