"""Progress on stderr: a bar on a terminal, a line for each step elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kinblend.cli.output import log
from kinblend.progress import listening

STAGES = 6  # of a run
INTERVAL = 10.0  # seconds between lines


@contextmanager
def stages(quiet: bool, total: int = STAGES) -> Iterator[Callable[[str], None]]:
    """For work in named stages; call it with each stage's name as the stage begins."""
    if quiet:
        yield lambda name: None
    elif not sys.stderr.isatty():
        yield lambda name: log(f"{name} …")
    else:
        with bar("starting", total, quiet) as step:
            begun = 0

            def begin(name: str) -> None:
                nonlocal begun
                step(begun, name)
                begun += 1

            with listening(lambda done, of: step(begun - 1 + done / of)):
                yield begin
            step(total, "done")


@contextmanager
def bar(title: str, total: float | None, quiet: bool, *, in_bytes: bool = False) -> Iterator[Callable[..., None]]:
    """Call it with how much is done, and if it changed, with another title or total.

    On a terminal a bar; elsewhere a line, at most every ten seconds, so that logs stay short.
    """
    if quiet:
        yield lambda done, title=None, total=None: None
        return
    if not sys.stderr.isatty():
        yield _lines(title, total)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amount = (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=total)

        def show(done: float, title: str | None = None, total: float | None = None) -> None:
            progress.update(task, completed=done, description=title, total=total)

        yield show


def _lines(title: str, total: float | None) -> Callable[..., None]:
    begun = time.monotonic()
    said, name, whole = -INTERVAL, title, total

    def show(done: float, title: str | None = None, total: float | None = None) -> None:
        nonlocal said, name, whole
        name, whole = title or name, whole if total is None else total
        now = time.monotonic()
        if now - said >= INTERVAL:
            said = now
            log(f"{name}: {done:.0f}{_rest(done, whole, now - begun)}")

    return show


def _rest(done: float, total: float | None, seconds: float) -> str:
    """ " of 18, about 3 min left"; the time only where enough is done to tell."""
    if not total:
        return ""
    left = seconds / done * (total - done) if done and seconds > INTERVAL else 0.0
    return f" of {total:.0f}" + (f", about {max(left / 60, 1):.0f} min left" if left else "")
