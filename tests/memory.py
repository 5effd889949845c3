"""How much memory a piece of work takes at most, in bytes."""

import resource
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def start_anew() -> int:
    """Forget the peak so far, where the system can (Linux), and return what is in use now.

    `ru_maxrss` would not do: it never falls, and a new process inherits it from the one that started it.
    """
    if not RESET.exists():
        return peak()
    RESET.write_text("5")
    return _status("VmRSS")


def peak() -> int:
    """The most that was in use since `start_anew`."""
    return _status("VmHWM") if RESET.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(name: str) -> int:
    [line] = [line for line in STATUS.read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024
