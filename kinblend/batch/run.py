"""A batch from its first row to its index: what is done already, what is to be done, and by whom."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from kinblend.batch.couples import Couple, chosen, request_of
from kinblend.batch.index import write_index
from kinblend.batch.photographs import photograph_sha256
from kinblend.batch.store import (
    FAILED,
    Record,
    Store,
    failure,
    parent_key,
    shard_of,
)
from kinblend.batch.worker import EngineOptions, ParentJob, RowJob, encode_parent, make_row
from kinblend.errors import UsageError, WorkerLostError
from kinblend.files import keep_inputs
from kinblend.object_stores import MEMORY, Address, Place, open_store, place_of
from kinblend.pipeline import Engine
from kinblend.pipeline.manifest import describe_plugin, versions
from kinblend.plugins import load_plugins
from kinblend.settings import load_settings
from kinblend.storage.tables import check_parquet
from kinblend.workers import LocalWorkers, Lost, ThisProcess, Workers, suggested_workers

LOG = logging.getLogger(__name__)
LOST = (
    WorkerLostError.__name__,
    "the processes that worked on it were killed, one after the other; out of memory? Try again with fewer workers",
)

FETCHING = 4  # photographs of a store whose contents are hashed at a time

OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class BatchOptions:
    """What becomes of a list of couples.

    format: of pictures. workers: processes; None: what the machine has room for. where: texts that columns of a row
    must hold for it to be worked on, by the columns' names. limit: at most so many of those, the first. retry_failed:
    try rows again that have failed. replace: give up children of rows that have changed, or are there no more.
    """

    format: Literal["png", "jpeg", "webp"] = "png"
    workers: int | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    retry_failed: bool = False
    replace: bool = False


@dataclass(frozen=True)
class Batch:
    """How a batch went.

    index: where the table of all children is. rows: that were to be done. done, failed: of these, by now. anew: rows
    that were worked on. encoded: photographs that were encoded anew. failures: rows by the class of their error.
    """

    index: Place
    rows: int
    done: int
    failed: int
    anew: int
    encoded: int
    failures: Mapping[str, int]


def run_batch(
    couples: Sequence[Couple],
    out: str | Path | Address,
    engine: EngineOptions,
    options: BatchOptions | None = None,
    progress: OnProgress | None = None,
    workers: Workers | None = None,
) -> Batch:
    """Children of many couples into a folder: pictures, shards of latents and weight maps, an index of everything.

    Everybody is encoded once. The same couples and options give the same files, whatever the number of workers, and
    however often the work was ended: each child is what `Engine.run` on one thread gives for its row.

    couples: see `read_couples`. out: a folder, or an address such as "s3://bucket/children"; what a batch has begun
    is gone on with. progress: called with what is counted ("photographs" that are fetched, "parents", "couples"), how
    many are done and how many there are. workers: who does the work; default: processes of this machine.
    Raises `UsageError` where the folder holds something else, or children of other couples, which only
    `options.replace` gives up, `WorkerLostError` where processes can't even begin, and `StoreError` where an object
    store does not answer or another call works there.
    """
    options = options or BatchOptions()
    check_parquet()
    place = place_of(out)
    objects, alone = open_store(place), _is_alone(place, couples, options, workers)
    selected = chosen(couples, options.where, options.limit)
    keep_inputs(picture for picture in _photographs(couples) if isinstance(picture, Path))
    opened = engine.open()
    made_with, space, count = describe_engine(opened), opened.backbone.space, options.workers or _room(opened)
    with ExitStack() as at_end:
        waiting = partial(LOG.warning, "another batch is at work in %s; waiting", place)
        check = at_end.enter_context(objects.held(waiting))
        store = Store(objects, options.format, space)
        store.claim(made_with)
        crew = workers or (ThisProcess() if alone else at_end.enter_context(LocalWorkers(count)))
        batch = _Batch(store, engine, made_with, crew, progress or (lambda *_: None), check)
        return batch.run(couples, selected, options)


def _photographs(couples: Iterable[Couple]) -> Iterator[Place]:
    return (picture for one in couples for picture in (one.father, one.mother) if picture)


def _is_alone(out: Place, couples: Sequence[Couple], options: BatchOptions, workers: Workers | None) -> bool:
    """Whether this process has to do the work itself, since no other sees its memory. Raises `UsageError` where
    others were to do it."""
    places = (out, *_photographs(couples))
    if not any(isinstance(place, Address) and place.scheme == MEMORY for place in places):
        return False
    if not isinstance(workers, ThisProcess | None) or (options.workers or 1) > 1:
        raise UsageError(
            f"what lies at {MEMORY}:// is seen by this process alone: work with one worker here, or name a folder or "
            "a bucket"
        )
    return True


def describe_engine(engine: Engine) -> dict[str, Any]:
    """All that children depend on, beside photographs and requests: a folder holds children of one kind."""
    backbone = engine.backbone
    reports = [report for report in load_plugins().reports if report.error is None]
    return {
        "versions": versions(),
        "plugins": {report.distribution: report.version for report in reports},
        "backbone": {name: file["sha256"] for name, file in backbone.pack.description["files"].items()},
        "space": asdict(backbone.space),
        "encoder": describe_plugin(backbone.encoder),
        "projector": describe_plugin(backbone.projector),
        **{kind: _chosen(kind) for kind in ("detector", "landmarker", "identity-network")},
        "device": str(engine.pool.device),
        "precision": engine.pool.precision,
        "threads": 1,
    }


def _chosen(kind: str) -> str:
    return getattr(load_settings(), kind.replace("-", "_")) or load_plugins()[kind].default().name


def _room(engine: Engine) -> int:
    """How many processes there is room for. A GPU has room for one: its memory is not shared."""
    if engine.pool.device.type != "cpu":
        return 1
    return suggested_workers(sum(path.stat().st_size for path in engine.backbone.pack.files.values()))


@dataclass(frozen=True)
class _Row:
    """A couple with what its children depend on. key: of all that. problem: the error's class and the reason, where
    nothing can be done. parents: who is to be encoded; none where there is a problem."""

    couple: Couple
    key: str
    problem: tuple[str, str] | None
    parents: tuple[ParentJob, ...]

    @property
    def number(self) -> int:
        return self.couple.number


class _Batch:
    """One batch at work. known: what became of rows, by their numbers, of those that still count. check: raises where
    another call has taken the store."""

    def __init__(
        self,
        store: Store,
        engine: EngineOptions,
        made_with: Mapping[str, Any],
        workers: Workers,
        progress: OnProgress,
        check: Callable[[], None],
    ) -> None:
        self.store, self.engine, self.made_with = store, engine, made_with
        self.workers, self.progress, self.check = workers, progress, check
        self.known: dict[int, Record] = {}
        self._hashes: dict[Place, str] = {}

    def run(self, couples: Sequence[Couple], selected: Sequence[Couple], options: BatchOptions) -> Batch:
        """Do what is to be done of the selected couples; see `run_batch`."""
        sizes = self.store.sizes()
        found, numbers = self.store.records(sizes), {couple.number for couple in selected}
        asked = [couple for couple in couples if couple.number in numbers or couple.number in found]
        self._fetch({one for one in _photographs(asked) if isinstance(one, Address)})
        rows = [self._plan(couple, found.get(couple.number, {})) for couple in asked]
        if not options.replace:
            self._check_unchanged(rows, found)
        again = numbers if options.retry_failed else set[int]()
        self.known = {row.number: found[row.number] for row in rows if self._counts(row, found, again, sizes)}
        self.store.remove_pictures(record for number, record in found.items() if number not in self.known)
        todo = [row for row in rows if row.number in numbers and row.number not in self.known]
        encoded = self._encode([parent for row in todo for parent in row.parents], options.retry_failed)
        self._make(todo)
        for shard in sorted({shard_of(number) for number in {*found, *self.known}}):
            self.store.pack(shard, self.known)
        self.check()
        index = write_index(self.store, couples, self.known)
        self.store.end(self.known.values())
        failed = [self.known[number]["error"] for number in numbers if self.known[number]["status"] == FAILED]
        counts = dict(sorted(Counter(failed).items()))
        return Batch(index, len(numbers), len(numbers) - len(failed), len(failed), len(todo), encoded, counts)

    def _check_unchanged(self, rows: Sequence[_Row], found: Mapping[int, Record]) -> None:
        """Raise `UsageError` where children would be given up: this is not the list that they were made of."""
        keys = {row.number: row.key for row in rows}
        changed = sorted(n for n, record in found.items() if record["children"] and record["key"] != keys.get(n))
        if changed:
            raise UsageError(
                f"{self.store.objects.place()} has children of {len(changed)} couples that are not in this list, or "
                f"in another row or with another request than before (the first: row {changed[0]}): add rows at the "
                "end, choose another folder, or ask for them to be replaced"
            )

    def _counts(self, row: _Row, found: Mapping[int, Record], again: set[int], sizes: Mapping[str, int]) -> bool:
        """Whether what became of a row earlier still holds. sizes: of what the store has."""
        record = found.get(row.number)
        if record is None or record["key"] != row.key or not self.store.has_pictures(record, sizes):
            return False
        return record["status"] != FAILED or row.number not in again

    def _plan(self, couple: Couple, before: Record) -> _Row:
        """before: what became of the row earlier; empty for nothing."""
        hashes, problem = [], ("InputError", couple.problem) if couple.problem else None
        for who, photograph in (("father", couple.father), ("mother", couple.mother)):
            try:
                hashes.append(self._hash(photograph) if photograph else "")
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                hashes.append(str(before.get(f"{who}_sha256", "")))  # one that was used need not be kept
                if not hashes[-1]:
                    problem = problem or ("ImageError", f"{photograph} can't be read: {reason}")
        asked: list[tuple[int | None, str | None]] = []
        try:
            request = request_of(couple.fields)
            asked = [(face, request.upscaler) for face in (request.father_face, request.mother_face)]
        except UsageError as error:
            problem = problem or ("UsageError", str(error))
        key = _digest([hashes, problem, couple.fields, self._option_files(couple.fields)])
        if problem:
            return _Row(couple, key, problem, ())
        return _Row(couple, key, None, tuple(map(self._parent, _photographs([couple]), hashes, asked)))

    def _parent(self, photograph: Place, sha256: str, asked: tuple[int | None, str | None]) -> ParentJob:
        """asked: the number of the face and the upscaler, if they were."""
        key = parent_key(self.made_with, sha256, *asked)
        return ParentJob(self.engine, self.store, key, photograph, sha256, *asked)

    def _hash(self, photograph: Place) -> str:
        if photograph not in self._hashes:
            self._hashes[photograph] = photograph_sha256(photograph)
        return self._hashes[photograph]

    def _fetch(self, photographs: Collection[Address]) -> None:
        """Hash photographs of stores, some at a time. What can't be read is left to the rows that name it."""
        pool = ThreadPoolExecutor(FETCHING)
        try:
            hashed = {pool.submit(self._hash, one) for one in photographs}
            for done, future in enumerate(as_completed(hashed), start=1):
                with suppress(OSError):
                    future.result()
                self._tell("photographs", done, len(photographs))
        finally:
            pool.shutdown(cancel_futures=True)

    def _option_files(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """The SHA-256 of files that options name, such as weights: another content makes other children."""
        found = {}
        for name in _texts([value for name, value in fields.items() if name.endswith("_options")]):
            with suppress(OSError, ValueError):
                if Path(name).is_file():
                    found[name] = self._hash(Path(name))
        return found

    def _encode(self, parents: Iterable[ParentJob], again: bool) -> int:
        """Encode whoever is not yet; returns how many were. again: those as well who could not be."""
        wanted = {job.key: job for job in parents if not self.store.has_parent(job.key, failed=not again)}
        for key in wanted:
            self.store.forget_parent(key)
        encoded, jobs = 0, list(wanted.values())
        results = self.workers.survive(encode_parent, jobs)
        self._tell("parents", 0, len(jobs))
        for done, (job, result) in enumerate(results, start=1):
            if isinstance(result, Lost):
                self.store.write_lost_parent(job.key, *LOST)
            else:
                encoded += result
            self._tell("parents", done, len(jobs))
        return encoded

    def _make(self, todo: Sequence[_Row]) -> None:
        """Make the children of these rows. A shard is put together when none of its rows is left."""
        left = Counter(shard_of(row.number) for row in todo)
        self._tell("couples", 0, len(todo))
        for done, (number, record) in enumerate(self._results(todo), start=1):
            self.check()
            self.known[number] = record
            left[shard_of(number)] -= 1
            if not left[shard_of(number)]:
                self.store.pack(shard_of(number), self.known)
            self._tell("couples", done, len(todo))

    def _tell(self, counted: str, done: int, total: int) -> None:
        if total:
            self.progress(counted, done, total)

    def _results(self, todo: Sequence[_Row]) -> Iterator[tuple[int, Record]]:
        """What becomes of each row, once the store has it."""
        for row in todo:
            if row.problem:
                yield row.number, self._failed(row.number, row.key, row.problem)
        jobs = [
            RowJob(self.engine, self.store, row.number, row.key, row.couple.fields, [job.key for job in row.parents])
            for row in todo
            if not row.problem
        ]
        for job, result in self.workers.survive(make_row, jobs):
            yield job.number, self._failed(job.number, job.key, LOST) if isinstance(result, Lost) else result

    def _failed(self, number: int, key: str, why: tuple[str, str]) -> Record:
        record = failure(key, *why)
        self.store.write_row(number, record)
        return record


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
