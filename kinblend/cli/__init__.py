"""The command line. Nothing here imports torch until a command does its work."""

from __future__ import annotations

import atexit
import ctypes
import gc
import os
import sys

# torch asks for huge pages where the system offers them to those who ask (Linux's "madvise"): a third less time for
# large pictures, which otherwise goes into handing out pages one by one. It looks once, before its first tensor.
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"

# glibc's mallopt: what it keeps of freed memory, and from which size on a piece is the system's own (man mallopt).
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT, LARGE = 64 * 2**20, 32 * 2**20


def main() -> None:
    """Run the command line; ends with the exit code of the error, if there was one."""
    from kinblend.cli.streams import prepare_streams, silence

    prepare_streams()
    from kinblend.cli.app import app
    from kinblend.cli.output import print_error, print_usage_error
    from kinblend.errors import KinblendError, own_interrupts

    configure_process()
    try:
        with own_interrupts():
            code = app(prog_name="kinblend", standalone_mode=False)
            sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        sys.exit(1)
    except (KinblendError, OSError) as error:
        sys.exit(print_error(error))
    except Exception as error:
        sys.exit(print_usage_error(error))
    sys.exit(code if isinstance(code, int) else 0)


def configure_process() -> None:
    """Set up this process, before torch is imported."""
    os.environ.setdefault(HUGE_PAGES, "1")
    tune_malloc()
    # At the end the interpreter looks for cycles among all objects that torch made: a third of a second for nothing.
    atexit.register(gc.freeze)


def tune_malloc() -> bool:
    """Have glibc keep what is freed between two pictures: given back, huge pages are cleared again for each of them.

    Returns whether it will: not where the C library has no such setting, nor against a user's MALLOC_TRIM_THRESHOLD_.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is None or "MALLOC_TRIM_THRESHOLD_" in os.environ:
        return False
    return bool(mallopt(TRIM_THRESHOLD, KEPT) and mallopt(MMAP_THRESHOLD, LARGE))
