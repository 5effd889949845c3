"""How much one worker of a batch does, how much several do at once, and how much memory each takes."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from kinblend.batch.run import describe_engine
from kinblend.batch.store import FAILED, Record, Store, parent_key
from kinblend.batch.worker import EngineOptions, ParentJob, RowJob, encode_parent, make_row
from kinblend.bench.machine import busy_seconds, private_bytes
from kinblend.errors import InputError
from kinblend.imaging import read_image
from kinblend.imaging.encode import picture_bytes
from kinblend.object_stores import FolderStore
from kinblend.resources import usable_cores
from kinblend.workers import LocalWorkers

Job = TypeVar("Job")
PEOPLE, ROWS = 4, 4  # that each worker does, beside the first of each
BUSY = 0.1  # of the machine: from here on it counts as busy


@dataclass(frozen=True)
class Taken:
    """What a job took. first: it was the first of its kind in its process. cpu_before: what the process had worked
    when the job began, in seconds. private: bytes that are the process's own afterwards; None: not known."""

    process: int
    seconds: float
    cpu_seconds: float
    cpu_before: float
    first: bool
    private: int | None


@dataclass(frozen=True)
class Worker:
    """What one worker takes, in seconds of time and of a CPU. cold: from the start of the process until it works as
    fast as ever. photograph: to encode one. child: to make one, of a row's several."""

    cold: float
    cold_cpu: float
    photograph: float
    photograph_cpu: float
    child: float
    child_cpu: float


@dataclass(frozen=True)
class Scaling:
    """So many workers at once. rate: children per second. ratio: to the rate of one. others: the share of the machine
    that other programs took meanwhile; None: not known. private: bytes that are a worker's own, the most of all."""

    workers: int
    rate: float
    ratio: float
    others: float | None
    private: int | None


def measure_scale(
    engine: EngineOptions,
    people: Sequence[Path],
    size: int,
    children: int = 1,
    workers: Sequence[int] | None = None,
    log: Callable[[str], None] = print,
) -> tuple[Worker, list[Scaling]]:
    """Time workers as a batch has them, in a folder that is gone afterwards.

    people: two photographs, of which others are made by shifting. size: their longer side, in pixels. children: of a
    row. workers: how many at once; the first has to be 1; default: `worker_counts`.
    Raises `InputError` where a photograph won't do.
    """
    found: list[Scaling] = []
    one: Worker | None = None
    for count in workers or worker_counts(engine):
        with TemporaryDirectory(prefix="kinblend-scale-") as folder, LocalWorkers(count) as crew:
            trial = _Trial(engine, Path(folder), people, size, children, count)
            encoded, rows, rate, others = trial.run(crew)
        one = one or _worker(encoded, rows, trial.started, children)
        private = max((taken.private for taken in rows if taken.private is not None), default=None)
        found.append(Scaling(count, rate, rate / found[0].rate if found else 1.0, others, private))
        log(f"{count} {'worker' if count == 1 else 'workers'}: {rate:.2f} children per second")
    assert one is not None
    return one, found


def worker_counts(engine: EngineOptions) -> list[int]:
    """1, 2, 4 and so on up to the cores that may be used, these too; 1 alone where a GPU does the work."""
    cores = usable_cores() if engine.open().pool.device.type == "cpu" else 1
    return sorted({*(2**power for power in range(cores.bit_length()) if 2**power <= cores), cores})


class _Trial:
    """Some workers at work. started: how long the first job took from when it was handed out, in seconds."""

    def __init__(
        self, engine: EngineOptions, folder: Path, people: Sequence[Path], size: int, children: int, count: int
    ) -> None:
        opened = engine.open()
        self.engine, self.count, self.children, self.started = engine, count, children, 0.0
        self.store = Store(FolderStore(folder), "png", opened.backbone.space)
        made_with = describe_engine(opened)
        self.parents = [
            self._parent(made_with, folder / f"{number}.jpg", data)
            for number, data in enumerate(_photographs(people, size, (PEOPLE + 1) * count))
        ]

    def _parent(self, made_with: Mapping[str, Any], path: Path, data: bytes) -> ParentJob:
        path.write_bytes(data)
        digest = sha256(data).hexdigest()
        return ParentJob(self.engine, self.store, parent_key(made_with, digest, None, None), path, digest, None, None)

    def run(self, crew: LocalWorkers) -> tuple[list[Taken], list[Taken], float, float | None]:
        """What photographs and rows took, the children per second of rows with all workers warm, and the share of the
        machine that others took meanwhile."""
        encoded = self._timed(crew, encode_parent, self.parents)
        for job in self.parents:
            if (failed := self.store.parent_failure(job.key)) is not None:
                raise InputError(f"the example photograph won't do: {failed[1]}")
        first = self._timed(crew, make_row, self._rows(0, 2 * self.count))
        while len({taken.process for taken in first}) < self.count:  # one that has begun late has still to warm up
            first += self._timed(crew, make_row, self._rows(0, 2 * self.count))
        before, begun = busy_seconds(), time.perf_counter()
        rows = self._timed(crew, make_row, self._rows(2 * self.count, ROWS * self.count))
        seconds, after = time.perf_counter() - begun, busy_seconds()
        others = None
        if before is not None and after is not None:
            worked = after - before - sum(taken.cpu_seconds for taken in rows)
            others = max(0.0, worked / seconds / (os.cpu_count() or 1))
        return encoded, [*first, *rows], len(rows) * self.children / seconds, others

    def _rows(self, after: int, count: int) -> list[RowJob]:
        keys = [job.key for job in self.parents]
        return [
            RowJob(
                self.engine,
                self.store,
                number,
                str(number),
                {"children": self.children, "seed": number},
                [keys[number % len(keys)], keys[(number + 1) % len(keys)]],
            )
            for number in range(after + 1, after + count + 1)
        ]

    def _timed(self, crew: LocalWorkers, work: Callable[[Any], Any], jobs: Sequence[Any]) -> list[Taken]:
        begun, found = time.perf_counter(), []
        for result, taken in crew.run(partial(timed, work), jobs):
            self.started = self.started or time.perf_counter() - begun
            if isinstance(result, dict):
                _refuse_failed(result)
            found.append(taken)
        return found


_done: set[str] = set()  # the kinds of work that this process has done


def timed(work: Callable[[Job], Any], job: Job) -> tuple[Any, Taken]:
    """What a process makes of a job, and what it took."""
    cpu, begun, first = time.process_time(), time.perf_counter(), work.__name__ not in _done
    result = work(job)
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
    _done.add(work.__name__)
    return result, Taken(os.getpid(), seconds, cpu_seconds, cpu, first, private_bytes())


def _refuse_failed(record: Record) -> None:
    if record["status"] == FAILED:
        raise InputError(f"no child can be made of the photographs: {record['reason']}")


def _worker(encoded: Sequence[Taken], rows: Sequence[Taken], started: float, children: int) -> Worker:
    """started: seconds until the first photograph was encoded."""
    photograph, row = (_median([taken for taken in some if not taken.first]) for some in (encoded, rows))
    first, first_row = (next(taken for taken in some if taken.first) for some in (encoded, rows))
    begun_cpu = first.cpu_before + first.cpu_seconds - photograph.cpu_seconds
    return Worker(
        cold=started - photograph.seconds + max(0.0, first_row.seconds - row.seconds),
        cold_cpu=begun_cpu + max(0.0, first_row.cpu_seconds - row.cpu_seconds),
        photograph=photograph.seconds,
        photograph_cpu=photograph.cpu_seconds,
        child=row.seconds / children,
        child_cpu=row.cpu_seconds / children,
    )


def _median(taken: Sequence[Taken]) -> Taken:
    seconds, cpu = (statistics.median(getattr(one, name) for one in taken) for name in ("seconds", "cpu_seconds"))
    return replace(taken[0], seconds=seconds, cpu_seconds=cpu)


def _photographs(people: Sequence[Path], size: int, count: int) -> Iterator[bytes]:
    """So many JPEGs of these people in turn, each shifted by another number of pixels: different photographs."""
    pictures = []
    for path in people:
        picture = read_image(path)
        scale = size / max(picture.size)
        pictures.append(picture.resize((round(picture.width * scale), round(picture.height * scale))))
    for number in range(count):
        picture, shift = pictures[number % len(pictures)], number // len(pictures)
        yield picture_bytes("shifted.jpg", picture.crop((shift, 0, picture.width, picture.height)))


def describe(one: Worker, scaling: Sequence[Scaling]) -> dict[str, Any]:
    """For reports in JSON."""
    return {"worker": asdict(one), "scaling": [asdict(case) for case in scaling]}
