"""How long work takes and how much memory, and on what machine."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kinblend.device import DeviceMemory, peak_rss

Work = Callable[[], object]


@dataclass(frozen=True)
class Measurement:
    """What some work took.

    seconds: the median of all rounds, wall time. fastest: of all rounds.
    cpu_seconds: the median of the time that processors worked for this process; on one thread, other programs hardly
        change it.
    peak_rss: the most memory the process had resident while it worked, in bytes; where the system can't count anew,
        since its start.
    peak_device: the most memory in use on a GPU, in bytes, 0 on a CPU.
    """

    seconds: float
    fastest: float
    cpu_seconds: float
    peak_rss: int
    peak_device: int


def measure(works: Sequence[Work], rounds: int, memory: DeviceMemory) -> list[Measurement]:
    """What each takes: called in turn, `rounds` times, after one call of each that does not count."""
    times: list[list[tuple[float, float]]] = [[] for _ in works]
    peaks, device_peaks = [0] * len(works), [0] * len(works)
    for turn in range(rounds + 1):
        for index, work in enumerate(works):
            reset_peak(memory)
            taken = _timed(work, memory)
            if turn:
                times[index].append(taken)
            peaks[index] = max(peaks[index], peak_bytes_now())
            device_peaks[index] = max(device_peaks[index], memory.peak() if memory.device.type == "cuda" else 0)
    return [_summary(*case) for case in zip(times, peaks, device_peaks, strict=True)]


def _summary(times: Sequence[tuple[float, float]], peak: int, device_peak: int) -> Measurement:
    wall, cpu = zip(*times, strict=True)
    return Measurement(statistics.median(wall), min(wall), statistics.median(cpu), peak, device_peak)


def _timed(work: Work, memory: DeviceMemory) -> tuple[float, float]:
    memory.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    memory.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def reset_peak(memory: DeviceMemory) -> None:
    """Begin to count peaks of memory again."""
    memory.peak(reset=True)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_bytes_now() -> int:
    """The most memory this process had resident since `reset_peak`, in bytes."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    return peak_rss()


def cold(words: Sequence[str]) -> Measurement:
    """What a command takes in a process of its own. Raises `CalledProcessError`."""
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    with process.stderr:
        error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(words), stderr=error)
    seconds, peak = time.perf_counter() - started, usage.ru_maxrss * (1 if platform.system() == "Darwin" else 1024)
    return Measurement(seconds, seconds, usage.ru_utime + usage.ru_stime, peak, 0)


def hardware(memory: DeviceMemory) -> dict[str, Any]:
    """The machine, the device and the versions that figures depend on; load: running programs, last minute."""
    import torch

    on_gpu = memory.device.type == "cuda"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "device": torch.cuda.get_device_name(memory.device) if on_gpu else "cpu",
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "versions": {name: version(name) for name in ("kinblend", "torch")} | {"python": platform.python_version()},
    }


def _processor() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()
