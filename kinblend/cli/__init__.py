"""The command line. Nothing here imports torch until a command does its work."""

from __future__ import annotations

import atexit
import gc
import sys


def main() -> None:
    """Run the command line; ends with the exit code of the error, if there was one."""
    from kinblend.cli.streams import prepare_streams, silence

    prepare_streams()
    from kinblend.cli.app import command
    from kinblend.cli.output import print_error, print_usage_error
    from kinblend.errors import KinblendError, own_interrupts

    configure_process()
    try:
        with own_interrupts():
            code = command()(prog_name="kinblend", standalone_mode=False)
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
    from kinblend.process import prepare_torch

    prepare_torch()
    # At the end the interpreter looks for cycles among all objects that torch made: a third of a second for nothing.
    atexit.register(gc.freeze)
