"""Progress on stderr: a bar on a terminal, a line for each step elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from kinblend.cli.output import log
from kinblend.progress import listening

STAGES = 6  # of a run
INTERVAL = 10.0  # seconds between lines


@contextmanager
def stages(quiet: bool, total: int = STAGES) -> Iterator[Callable[[str], None]]:
    """For work in named stages; call it with each stage's name as the stage begins. A stage that takes long and tells
    how far it is has further lines."""
    if quiet:
        yield lambda name: None
    elif not sys.stderr.isatty():
        with ExitStack() as stage:

            def announce(name: str) -> None:
                log(f"{name} …")
                stage.close()
                stage.enter_context(followed(name, quiet))

            yield announce
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
def followed(title: str, quiet: bool) -> Iterator[None]:
    """For work that tells how far it is by `kinblend.progress`: a bar, or lines from the tenth second on."""
    if quiet:
        yield
    elif sys.stderr.isatty():
        with bar(title, None, quiet) as show, listening(lambda done, of: show(done, total=of)):
            yield
    else:
        show = _lines(title, None, with_rate=False, at_once=False)
        with listening(lambda done, of: show(done, total=of)):
            yield


@contextmanager
def bar(title: str, total: float | None, quiet: bool, *, in_bytes: bool = False) -> Iterator[Callable[..., None]]:
    """Call it with how much is done, and if it changed, with another title or total.

    On a terminal a bar; elsewhere a line, at most every ten seconds, so that logs stay short.
    """
    if quiet:
        yield lambda done, title=None, total=None: None
        return
    if not sys.stderr.isatty():
        yield _lines(title, total, with_rate=not in_bytes)
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
    rate = () if in_bytes else (TextColumn("{task.fields[rate]}"),)
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    columns = (TextColumn("{task.description}"), BarColumn(), *amount, *rate, *times)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task, begun = progress.add_task(title, total=total, rate=""), time.monotonic()

        def show(done: float, title: str | None = None, total: float | None = None) -> None:
            per = describe_rate(done, time.monotonic() - begun)
            progress.update(task, completed=done, description=title, total=total, rate=per)

        yield show


def describe_rate(done: float, seconds: float) -> str:
    """How many of whatever is counted were done a second, or a minute where that is less than one; "" for none."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    return f"{rate:.1f} a second" if rate >= 1 else f"{60 * rate:.1f} a minute"


def _lines(title: str, total: float | None, *, with_rate: bool, at_once: bool = True) -> Callable[..., None]:
    begun = time.monotonic()
    said, name, whole = -INTERVAL if at_once else begun, title, total

    def show(done: float, title: str | None = None, total: float | None = None) -> None:
        nonlocal said, name, whole
        name, whole = title or name, whole if total is None else total
        now = time.monotonic()
        if now - said >= INTERVAL:
            said = now
            rate = describe_rate(done, now - begun) if with_rate and now - begun > INTERVAL else ""
            log(f"{name}: {done:.0f}{_rest(done, whole, now - begun)}{rate and f', {rate}'}")

    return show


def _rest(done: float, total: float | None, seconds: float) -> str:
    """ " of 18, about 3 min left"; the time only where enough is done to tell."""
    if not total:
        return ""
    left = seconds / done * (total - done) if done and seconds > INTERVAL else 0.0
    return f" of {total:.0f}" + (f", about {max(left / 60, 1):.0f} min left" if left else "")
