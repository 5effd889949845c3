"""What a worker does: all stages for a few pictures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kinblend.families.prepare.options import PrepareOptions
from kinblend.families.prepare.stages import Stage, Work, stages


@dataclass(frozen=True)
class Timing:
    """seconds: what a stage took for `pictures` that it did anew."""

    stage: str
    pictures: int
    seconds: float


Job = tuple[list[tuple[str, str]], str, PrepareOptions]
WorkerResult = tuple[list[Work], list[Timing]]


def run_stages(job: Job) -> WorkerResult:
    """Take a chunk through all stages.

    job: (SHA-256, path) of its pictures, the cache's folder, the options.
    """
    pictures, root, options = job
    works = [Work(sha, Path(picture)) for sha, picture in pictures]
    timings = []
    for stage in stages(Path(root), options):
        left = [work for work in works if not any("rejected" in record for record in work.records.values())]
        timings.append(_run_stage(stage, left, options))
    return works, timings


def _run_stage(stage: Stage, works: Sequence[Work], options: PrepareOptions) -> Timing:
    """A stage does the whole chunk, or finds it done: how a network rounds depends on the size of the batch, and
    what is made must not depend on where an earlier run was ended."""
    known = [stage.cache.read(work.sha) for work in works]
    started, anew = time.perf_counter(), 0
    if any(record is None for record in known):
        made = stage.run(works, options)
        for work, one in zip(works, made, strict=True):
            stage.cache.write(work.sha, one)
        known = [stage.cache.read(work.sha) for work in works]
        anew = len(works)
    for work, record in zip(works, known, strict=True):
        work.records[stage.name] = dict(record or {})
        work.files.update({suffix: stage.cache.file(work.sha, suffix) for suffix in stage.suffixes})
    return Timing(stage.name, anew, time.perf_counter() - started)
