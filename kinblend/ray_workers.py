"""Much work of one kind through a Ray cluster (Moritz et al. 2018): the processes of several machines.

All of them have to see the same files under the same paths, unless these lie in an object store, and to have kinblend
with the same plugins installed.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from kinblend.errors import UsageError, WorkerLostError
from kinblend.workers import Lost

if TYPE_CHECKING:
    from ray import ObjectRef

Job = TypeVar("Job")
Result = TypeVar("Result")
ATTEMPTS = 3  # processes that were killed while they worked on a job, after which it is lost
WAITING = 2  # jobs that are handed out for each that the cluster has room for: enough that no process waits for one
PATIENCE = 10.0  # seconds between two looks at whether the cluster still has a machine
LOG = logging.getLogger(__name__)


class RayWorkers:
    """A Ray cluster: a process of one thread for each core, or for each share of a GPU.

    Processes go on with the next job, so that each opens its models once.

    Args:
        address: of the cluster, "host:port"; "auto" for the one that this machine belongs to, "local" to start one
            here that ends with this process. A cluster that this process is connected to already is used as it is.
        gpus_each: the share of a GPU that a process takes, such as 0.25; 0 for work on CPUs.

    Raises:
        UsageError: where ray is not installed, or there is no such cluster.
    """

    def __init__(self, address: str = "auto", gpus_each: float = 0.0) -> None:
        try:
            import ray
        except ImportError as error:
            raise UsageError("a Ray cluster needs ray: pip install 'kinblend[ray]'") from error
        if not 0 <= gpus_each <= 1:
            raise UsageError(f"a process takes a share of a GPU, 0 to 1, not {gpus_each:g}")
        self.gpus_each = gpus_each
        self._ray: Any = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            self._connect(address)
        self._tasks: dict[ObjectRef[Any], int] = {}

    def _connect(self, address: str) -> None:
        local = {"include_dashboard": False} if address == "local" else {}
        try:
            self._ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **local)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"there is no Ray cluster at {address!r}: start one with `ray start --head`, or name another address"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cancel()
        if self._ours:
            self._ray.shutdown()

    def _cancel(self) -> None:
        """Give up what is handed out and not done."""
        for task in self._tasks:
            self._ray.cancel(task, force=True)
        self._tasks = {}

    def run(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result]:
        """See `Workers.run`."""
        for _, result in self.survive(work, jobs):
            if isinstance(result, Lost):
                raise WorkerLostError(
                    f"{ATTEMPTS} processes were killed while they did the same work; out of memory? Run the same "
                    "command again: it goes on where it was ended"
                )
            yield result

    def survive(self, work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[tuple[Job, Result | Lost]]:
        """See `Workers.survive`. A job is done again wherever there is room when its process or its machine is gone;
        the third time it is lost."""
        task = self._ray.remote(num_cpus=1, num_gpus=self.gpus_each, max_retries=0, runtime_env=_environment())(_job)
        waiting, killed = deque(range(len(jobs))), Counter[int]()
        try:
            while waiting or self._tasks:
                room = self._room()
                while waiting and len(self._tasks) < WAITING * room:
                    number = waiting.popleft()
                    self._tasks[task.remote(work, jobs[number])] = number
                ended, _ = self._ray.wait(list(self._tasks), timeout=PATIENCE)
                for one in ended:
                    number = self._tasks.pop(one)
                    try:
                        result: Result | Lost = self._ray.get(one)
                    except self._ray.exceptions.RayTaskError as error:
                        raise error.cause from None
                    except self._ray.exceptions.RayError as error:
                        killed[number] += 1
                        LOG.info("job %d: %s", number, str(error).partition("\n")[0])
                        if killed[number] < ATTEMPTS:
                            waiting.append(number)
                            continue
                        result = Lost()
                    yield jobs[number], result
        finally:  # of an error of a job: nobody waits for the others
            self._cancel()

    def _room(self) -> int:
        """How many jobs the cluster has room for at once, its machines being what they are now.

        Raises `WorkerLostError` where none could ever be done.
        """
        there = self._ray.cluster_resources()
        room = int(there.get("CPU", 0))
        if self.gpus_each:
            room = min(room, int(there.get("GPU", 0) / self.gpus_each))
        if room < 1:
            what = "GPU" if self.gpus_each and there.get("CPU") else "machine"
            raise WorkerLostError(f"the Ray cluster has no {what} left to work on; what is done is kept")
        return room


def _environment() -> dict[str, Any]:
    """What the processes find: one thread, as those of `LocalWorkers`, and where this process looks for packs."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("KINBLEND_")}
    return {"env_vars": ours | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")}


def _job(work: Callable[[Job], Result], job: Job) -> Result:
    _set_up()
    return work(job)


@cache
def _set_up() -> None:
    """Set up this process for jobs, once."""
    from kinblend.process import prepare_torch

    prepare_torch()
    import torch

    torch.set_num_threads(1)
