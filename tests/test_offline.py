"""Nothing but `models pull` and the web app has anything to do with a network."""

import subprocess
import sys
from pathlib import Path

import pytest

WATCHED = """
import sys
seen = []
sys.addaudithook(lambda event, given: seen.append((event, given[1:])) if event.startswith("socket.") else None)
{work}
assert not seen, seen
"""
DETECTORS = "from kinblend_plugins.package_shims import import_mtcnn\nimport_mtcnn()"
DEMO = """
from kinblend.cli import main
sys.argv = ["kinblend", "demo", "--quiet"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


@pytest.mark.parametrize("work", [DETECTORS, DEMO], ids=["detectors", "demo"])
def test_finding_19_no_socket_is_opened(work: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WATCHED.format(work=work)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
