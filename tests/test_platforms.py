"""What other systems lack is not asked for before it is used."""

import subprocess
import sys

import pytest

UNIX = ("resource", "fcntl", "termios", "pwd", "grp")


@pytest.mark.parametrize("name", UNIX)
def test_kinblend_is_imported_where_a_module_of_unix_is_missing(name: str) -> None:
    """As on Windows."""
    code = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "import kinblend\n"
        "for name in kinblend.__all__: getattr(kinblend, name)\n"
        "import kinblend.cli.app, kinblend.datasets, kinblend.packs, kinblend.training.checkpoint"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
