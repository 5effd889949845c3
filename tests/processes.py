"""Which processes there are (Linux)."""

from pathlib import Path

import pytest

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")


def lives(process: int) -> bool:
    """Whether there is such a process, and not what is left of one that ended."""
    return _stat(process)[:1] not in ([], ["Z"])


def children(process: int) -> list[int]:
    """The processes that a process started and that live."""
    numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [number for number in numbers if _stat(number)[1:2] == [str(process)] and lives(number)]


def _stat(process: int) -> list[str]:
    """State, parent and more of a process; nothing where there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
