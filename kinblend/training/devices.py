"""A training on several devices of this machine: a process for each, which share every batch."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, cast

import torch
from torch import distributed

from kinblend.errors import Interrupted, KinblendError, UsageError, WorkerLostError
from kinblend.resources import usable_cores
from kinblend.training.device import device_of
from kinblend.training.loop import interruption
from kinblend.training.ranks import RankLostError, Ranks

Progress = Callable[[str], None]
Work = Callable[[Any, Path, "Progress | None", Ranks], Path]
FOR_EVER = timedelta(days=7)  # others wait while the first measures and saves
POLL_SECONDS = 0.2  # until a signal is passed on
GRACE_SECONDS = 10.0  # until a process that lost another is believed to be all there is to know
TOLD, DONE, FAILED, LOST, INTERRUPTED = "told", "done", "failed", "lost", "interrupted"


def devices_of(devices: str, device: str = "auto") -> list[torch.device]:
    """The devices that share a training.

    devices: their number, "2", or their names with a comma between, "cuda:0,cuda:1". On "cpu,cpu" two processes share
    the processor. device: of which kind, where `devices` is a number; "auto" is CUDA where there is one.

    Raises `UsageError` for a device that is not there or is named twice, for fewer devices than asked, and for kinds
    that don't go together.

    Example:
        >>> devices_of("2", "cpu")
        [device(type='cpu'), device(type='cpu')]
    """
    names = [name.strip() for name in devices.split(",")]
    if len(names) == 1 and names[0].isdecimal():
        return _so_many(int(names[0]), device)
    found = [device_of(name) for name in names]
    if len({one.type for one in found}) > 1:
        raise UsageError(f"devices={devices!r}: devices that share a training are of one kind")
    if found[0].type == "cuda":
        found = [torch.device("cuda", one.index or 0) for one in found]
        if len(set(found)) < len(found):
            raise UsageError(f"devices={devices!r} names a device twice")
    return found


def _so_many(count: int, device: str) -> list[torch.device]:
    one = device_of(device)
    if count < 1:
        raise UsageError(f"devices={count}: give 1 or more")
    if count == 1 or one.type == "cpu":
        return [one] * count
    if one.index is not None:
        raise UsageError(f"device={device!r} is one device; name all of them in devices, such as cuda:0,cuda:1")
    if count > torch.cuda.device_count():
        raise UsageError(f"devices={count}: this machine has {torch.cuda.device_count()} CUDA devices")
    return [torch.device("cuda", number) for number in range(count)]


def on_devices(
    work: Work,
    options: Any,
    out: Path,
    progress: Progress | None = None,
    *,
    devices: str,
    device: str = "auto",
    rows: int,
) -> Path:
    """What `work(options, out, progress, ranks)` returns, done here or, for several devices, in a process for each.

    Args:
        work: a module's function. In each process `ranks` says which rows of a batch are its own. progress: None in
            all but the first.
        options, out: handed on; they can be pickled. progress: told what the first process tells.
        devices, device: as for `devices_of`.
        rows: of the smallest batch that is shared.

    Raises:
        UsageError: as `devices_of` does, and for more devices than rows.
        Interrupted: after Ctrl-C or SIGTERM, which the first process handles as one alone does.
        WorkerLostError: where a process was killed; the others are ended, and the last checkpoint stays.
        Exception: what `work` raised.
    """
    found = devices_of(devices, device)
    if len(found) > rows:
        raise UsageError(
            f"{len(found)} devices can't share a batch of {rows}; give a batch of at least {len(found)}, or fewer "
            "devices"
        )
    if len(found) == 1:
        return work(options, out, progress, Ranks(found[0]))
    with TemporaryDirectory(prefix="kinblend-ranks-") as folder, interruption() as stop:
        group = _Group(found)
        try:
            group.start(work, options, out, Path(folder) / "store")
            return group.follow(progress or (lambda _: None), stop)
        finally:
            group.end()


class _Group:
    """The processes of one training, and what they say."""

    def __init__(self, devices: list[torch.device]) -> None:
        self.devices = devices
        self.processes: list[BaseProcess] = []
        self.pipes: dict[Connection, int] = {}

    def start(self, work: Work, options: Any, out: Path, store: Path) -> None:
        """Start them; they meet at the file `store`."""
        context = get_context("spawn")
        for rank in range(len(self.devices)):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_take_part, args=(theirs, work, options, out, self.devices, rank, store))
            process.start()
            theirs.close()  # so that ours ends with the process
            self.processes.append(process)
            self.pipes[ours] = rank

    def follow(self, progress: Progress, stop: Event) -> Path:
        """Pass on what they tell until all are done. Returns the first one's result."""
        results: dict[int, Path] = {}
        ended_at: dict[str, float] = {}  # when the first process was lost or interrupted
        passed_on = False
        while self.pipes:
            for pipe in cast("list[Connection]", wait([*self.pipes], POLL_SECONDS)):
                kind, value = self._read(pipe)
                if kind == TOLD:
                    progress(value)
                elif kind == FAILED:
                    raise value
                else:
                    rank = self.pipes.pop(pipe)
                    if kind == DONE:
                        results[rank] = value
                    else:
                        ended_at.setdefault(kind, time.monotonic())
            if stop.is_set() and not passed_on:
                passed_on = True
                self._interrupt_first()
            if ended_at and (not self.pipes or time.monotonic() - min(ended_at.values()) > GRACE_SECONDS):
                if INTERRUPTED in ended_at:
                    raise Interrupted
                raise WorkerLostError(f"the processes of the training lost each other; {_GO_ON}")
        return results[0]

    def _interrupt_first(self) -> None:
        """Have the first process end as after Ctrl-C."""
        pid = self.processes[0].pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)

    def _read(self, pipe: Connection) -> tuple[str, Any]:
        try:
            kind, value = pipe.recv()
        except (EOFError, OSError):
            rank = self.pipes[pipe]
            self.processes[rank].join(GRACE_SECONDS)
            who = f"process {rank + 1} of {len(self.devices)}, on {self.devices[rank]}"
            cause = _cause(self.processes[rank].exitcode)
            raise WorkerLostError(
                f"{who}, was ended ({cause}), and so were the others; out of memory? {_GO_ON}"
            ) from None
        return kind, value

    def end(self) -> None:
        """End what still runs."""
        for process in self.processes:
            process.join(0 if self.pipes else GRACE_SECONDS)
            if process.is_alive():
                process.kill()
            process.join()
        for pipe in self.pipes:
            pipe.close()


_GO_ON = "the last checkpoint stays: run the same again to go on from it"


def _cause(code: int | None) -> str:
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _take_part(
    pipe: Connection, work: Work, options: Any, out: Path, devices: list[torch.device], rank: int, store: Path
) -> None:
    """What each process does."""
    _set_up(rank, devices)

    def tell(text: str) -> None:
        pipe.send((TOLD, text))

    ended: tuple[str, Any]
    try:
        _join(devices, rank, store)
        result = work(options, out, None if rank else tell, Ranks(devices[rank], rank, len(devices)))
        ended = DONE, Path(result)
    except KeyboardInterrupt:
        ended = INTERRUPTED, None
    except RankLostError:
        ended = LOST, None
    except BaseException as error:
        ended = FAILED, _to_send(error)
    with suppress(OSError):  # nobody listens any more
        pipe.send(ended)
    with suppress(Exception):
        distributed.destroy_process_group()


def _set_up(rank: int, devices: list[torch.device]) -> None:
    """Ctrl-C is for the process that started this one, with which it ends, however that ends."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN if rank else signal.default_int_handler)
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
    torch.set_num_threads(max(1, usable_cores() // len(devices)))


def _end_with(parent: BaseProcess | None) -> None:
    if parent is not None:
        parent.join()
        os._exit(1)


def _join(devices: list[torch.device], rank: int, store: Path) -> None:
    """Meet the others: what lies on the CPU goes over gloo and the loopback interface, on CUDA over NCCL."""
    for _, name in socket.if_nameindex() if sys.platform != "win32" else []:
        if name in ("lo", "lo0"):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
    on_cuda = devices[rank].type == "cuda"
    if on_cuda:
        torch.cuda.set_device(devices[rank])
    try:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if on_cuda else "gloo",
            store=distributed.FileStore(str(store), len(devices)),  # type: ignore[attr-defined]
            rank=rank,
            world_size=len(devices),
            timeout=FOR_EVER,
        )
    except RuntimeError as error:
        raise KinblendError(f"the processes of the training can't reach each other: {error}") from error


def _to_send(error: BaseException) -> BaseException:
    """The error as another process can read it."""
    if not isinstance(error, KinblendError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        deepcopy(error)  # by the same means as it is sent to another process
    except Exception:
        return KinblendError(f"{type(error).__name__}: {error}")
    return error
