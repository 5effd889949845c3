"""What other systems lack is not asked for before it is used."""

import os
from pathlib import Path

import fork_server
import pytest

UNIX = ("resource", "fcntl", "termios", "pwd", "grp")


@pytest.mark.parametrize("name", UNIX)
def test_kinblend_is_imported_where_a_module_of_unix_is_missing(name: str) -> None:
    """As on Windows. torch, which has been imported, gets along there."""
    code = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "import kinblend\n"
        "for name in kinblend.__all__: getattr(kinblend, name)\n"
        "import kinblend.cli.app, kinblend.datasets, kinblend.packs, kinblend.training.checkpoint"
    )
    done = fork_server.run_code(code, [], os.environ, Path.cwd())
    assert done.returncode == 0, done.stderr
