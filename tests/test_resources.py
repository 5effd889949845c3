"""Cores and memory that a process may use, as control groups of both versions say."""

from pathlib import Path

import pytest

from kinblend.resources import allowed_cores, available_memory, core_quota, physical_cores, usable_cores
from kinblend.workers import suggested_workers

GIB = 2**30


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/cpu.max": "200000 100000"}, 2),
        (
            {
                "proc/self/cgroup": "0::/a/b",
                "sys/fs/cgroup/a/cpu.max": "100000 100000",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000",
            },
            1,
        ),
        # In a container: the host's path, which is not there.
        ({"proc/self/cgroup": "0::/kubepods/x", "sys/fs/cgroup/cpu.max": "300000 100000"}, 3),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/docker/x\n3:memory:/\n0::/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            None,
        ),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "what"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "1 0"}, None),
        ({"proc/self/cgroup": "0::/../../etc", "sys/fs/cgroup/cpu.max": "200000 100000"}, 2),
    ],
)
def test_quota(files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    assert core_quota(machine(tmp_path, files)) == quota


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   1048576 kB"}, GIB),
        (
            {
                "proc/meminfo": "MemAvailable: 8388608 kB",
                "proc/self/cgroup": "0::/a",
                "sys/fs/cgroup/a/memory.max": str(3 * GIB),
                "sys/fs/cgroup/a/memory.current": str(2 * GIB),
                "sys/fs/cgroup/a/memory.stat": f"anon 7\ninactive_file {GIB // 2}",
            },
            3 * GIB // 2,
        ),
        (
            {
                "proc/meminfo": "MemAvailable: 8388608 kB",
                "proc/self/cgroup": "3:memory:/a",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": str(GIB),
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": str(2 * GIB),
                "sys/fs/cgroup/memory/a/memory.usage_in_bytes": str(3 * GIB),
            },
            0,
        ),
    ],
)
def test_memory(files: dict[str, str], free: int | None, tmp_path: Path) -> None:
    assert available_memory(machine(tmp_path, files)) == free


def test_second_threads_of_a_core_are_no_cores(tmp_path: Path) -> None:
    topology = "sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    files = {topology.format(core): f"{core % 2},{core % 2 + 2}" for core in range(4)}
    assert physical_cores({0, 1, 2, 3}, machine(tmp_path, files)) == 2
    assert physical_cores({0, 1, 2, 3}, tmp_path / "nothing") == 4


def test_this_machine_has_room_for_a_process_at_least() -> None:
    assert 1 <= usable_cores() <= len(allowed_cores())
    assert suggested_workers(2**60) == 1
    assert 1 <= suggested_workers() <= usable_cores()
