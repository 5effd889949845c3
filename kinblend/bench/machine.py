"""What the system says of itself and of this process (Linux; elsewhere nothing is known)."""

from __future__ import annotations

import os
from pathlib import Path


def busy_seconds(path: Path = Path("/proc/stat")) -> float | None:
    """The time that all cores together have worked since the system started, for whomever. None: not known."""
    try:
        user, nice, system, _, _, interrupts, soft = map(int, path.read_text().split()[1:8])
    except (OSError, ValueError):
        return None
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def private_bytes(path: Path = Path("/proc/self/smaps_rollup")) -> int | None:
    """The memory that is this process's own: `Private_Dirty`, which it shares with no other. None: not known."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_Dirty:")), None)
