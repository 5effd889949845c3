"""The command line. Nothing here imports torch until a command does its work."""

from __future__ import annotations

import atexit
import gc
import os
import sys

# torch asks for huge pages where the system offers them to those who ask (Linux's "madvise"): a third less time for
# large pictures, which otherwise goes into handing out pages one by one. It looks once, before its first tensor.
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"


def main() -> None:
    """Run the command line; ends with the exit code of the error, if there was one."""
    from kinblend.cli.app import app
    from kinblend.cli.output import fail
    from kinblend.errors import KinblendError

    begin()
    try:
        app()
    except BrokenPipeError:
        sys.exit(1)
    except (KinblendError, OSError) as error:
        sys.exit(fail(error))


def begin() -> None:
    """Set up this process, before torch is imported."""
    os.environ.setdefault(HUGE_PAGES, "1")
    # At the end the interpreter looks for cycles among all objects that torch made: a third of a second for nothing.
    atexit.register(gc.freeze)
