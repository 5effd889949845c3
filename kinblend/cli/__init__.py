"""The command line. Nothing here imports torch until a command does its work."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; ends with the exit code of the error, if there was one."""
    from kinblend.cli.app import app
    from kinblend.cli.output import fail
    from kinblend.errors import KinblendError

    try:
        app()
    except BrokenPipeError:
        sys.exit(1)
    except (KinblendError, OSError) as error:
        sys.exit(fail(error))
