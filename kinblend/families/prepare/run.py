"""Takes a kinship set through the pipeline: pictures in; crops, latents, an index and a list of rejects out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kinblend.errors import InputError
from kinblend.faces.upscale import OFF, load_upscaler
from kinblend.families.model import KinshipSet
from kinblend.families.prepare.folder import check_folder
from kinblend.families.prepare.options import PrepareOptions
from kinblend.families.prepare.outputs import Kept, Rejected, write_outputs
from kinblend.families.prepare.stages import Work
from kinblend.families.prepare.worker import run_stages
from kinblend.files import file_sha256, keep_inputs
from kinblend.workers import Workers, opened_workers

CHUNK = 16  # pictures that go through the networks together

OnProgress = Callable[[int, int], None]


@dataclass
class Prepared:
    """How it went. pictures, seconds: what each stage did anew, and how long that took, all processes added."""

    kept: list[Kept] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    pictures: Counter[str] = field(default_factory=Counter)

    def rejections(self) -> dict[tuple[str, str], int]:
        """How many pictures were rejected, by stage and kind, most first."""
        return dict(Counter((one.stage, one.kind) for one in self.rejected).most_common())


def prepare(
    found: KinshipSet,
    out: Path,
    options: PrepareOptions,
    cache: Path,
    workers: int | Workers = 1,
    progress: OnProgress | None = None,
) -> Prepared:
    """Write `out`: crops, latents, index.csv, rejected.csv, contact sheets of what was rejected, families.json.

    cache: folder that keeps what each stage made of each picture, so that a second call begins where the first was
        ended, and gives the same bytes. workers: who does the work; of a number, so many processes. progress: told
        how many of how many different pictures are done.
    Raises `UsageError` where `out` holds something else or pictures of the set, `InputError` when no picture is left.
    """
    if options.upscaler != OFF:
        load_upscaler(options.upscaler)
    check_folder(out, found)
    keep_inputs(picture for person in found.people() for picture in person.pictures)
    done = Prepared()
    hashes = _hashes(found, done.rejected)
    first: dict[str, Path] = {}
    for picture, sha in hashes.items():
        first.setdefault(sha, picture)
    works = _work(list(first.items()), options, cache, workers, done, progress or (lambda *_: None))
    for picture, sha in hashes.items():
        _sort_out(picture, works[sha], done)
    if not done.kept:
        raise InputError(f"no picture of {found.root} could be used: {_summary(done)}")
    write_outputs(out, found, options, done.kept, done.rejected)
    return done


def _hashes(found: KinshipSet, rejected: list[Rejected]) -> dict[Path, str]:
    hashes = {}
    for picture in dict.fromkeys(picture for person in found.people() for picture in person.pictures):
        try:
            hashes[picture] = file_sha256(picture)
        except OSError as error:
            rejected.append(Rejected(picture, "read", "unreadable", f"can't be read: {error.strerror}"))
    return hashes


def _work(
    pictures: Sequence[tuple[str, Path]],
    options: PrepareOptions,
    cache: Path,
    workers: int | Workers,
    done: Prepared,
    progress: OnProgress,
) -> dict[str, Work]:
    chunks = [[(sha, str(path)) for sha, path in pictures[at : at + CHUNK]] for at in range(0, len(pictures), CHUNK)]
    jobs = [(chunk, str(cache), options) for chunk in chunks]
    works: dict[str, Work] = {}
    with opened_workers(workers, len(jobs)) as crew:
        for finished, timings in crew.run(run_stages, jobs):
            works |= {work.sha: work for work in finished}
            for timing in timings:
                if timing.pictures:
                    done.seconds[timing.stage] = done.seconds.get(timing.stage, 0.0) + timing.seconds
                done.pictures[timing.stage] += timing.pictures
            progress(len(works), len(pictures))
    return works


def _sort_out(picture: Path, work: Work, done: Prepared) -> None:
    for stage, record in work.records.items():
        if "rejected" in record:
            done.rejected.append(Rejected(picture, stage, record["rejected"]["kind"], record["rejected"]["reason"]))
            return
    done.kept.append(Kept(picture, work))


def _summary(done: Prepared) -> str:
    return ", ".join(f"{count} {kind}" for (_, kind), count in done.rejections().items()) or "there is none"
