"""What this process may use of the machine: cores and memory, by affinity and the limits of its control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

UNLIMITED = 2**60  # bytes; version 1 of control groups writes a number beyond this where nothing is limited


def usable_cores() -> int:
    """How many cores this process can keep busy, at least 1: its affinity's, within its control groups' quota."""
    quota = core_quota()
    allowed = len(allowed_cores())
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def allowed_cores() -> set[int]:
    """The cores that the system may run this process on."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))


def physical_cores(cores: set[int], root: Path = Path("/")) -> int:
    """How many of these cores are no second thread of another one; all of them where the system does not say."""
    found = set()
    for core in cores:
        place = root / f"sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list"
        try:
            found.add(place.read_text().strip())
        except OSError:
            return len(cores)
    return len(found)


def core_quota(root: Path = Path("/")) -> float | None:
    """How many cores' time the control groups (Linux, version 1 or 2) grant; None: no limit.

    root: where `proc` and `sys` lie.
    """
    found = []
    for group in _groups(root, "cpu"):
        words = _read(group / "cpu.max").split() or [
            _read(group / "cpu.cfs_quota_us"),
            _read(group / "cpu.cfs_period_us"),
        ]
        with suppress(ValueError, IndexError, ZeroDivisionError):
            found.append(int(words[0]) / int(words[1]))
    return min((quota for quota in found if quota > 0), default=None)


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process can still take: of the machine, within its control groups' limits. None: not known.

    root: where `proc` and `sys` lie.
    """
    lines = _read(root / "proc" / "meminfo").splitlines()
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    for group in _groups(root, "memory"):
        with suppress(ValueError):
            limit = int(_read(group / "memory.max") or _read(group / "memory.limit_in_bytes"))
            used = int(_read(group / "memory.current") or _read(group / "memory.usage_in_bytes"))
            if limit < UNLIMITED:
                found.append(max(0, limit - used + _cached_files(group)))
    return min(found, default=None)


def _cached_files(group: Path) -> int:
    """Bytes of files that a group holds in memory, and that go when they are in the way."""
    counts = dict(line.split() for line in _read(group / "memory.stat").splitlines() if len(line.split()) == 2)
    return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of the control groups that this process is in, and of those around them: each one's limit holds."""
    for line in _read(root / "proc" / "self" / "cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = root / "sys" / "fs" / "cgroup" / (controller if controllers else "")
        inside = base / path.strip("/")
        # In a container the path may be the host's, which is not there: then the folders around it count alone.
        yield from (folder for folder in (inside, *inside.parents) if folder.is_relative_to(base))


def _read(path: Path) -> str:
    """A file's text; "" where there is none."""
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""
