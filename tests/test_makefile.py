"""`make demo` pulls a backbone, and works without it, too."""

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[1] / "Makefile"
KINBLEND = """#!/bin/sh
echo "$@" >> calls
[ "$1" = models ] && exit {code}
echo demo/demo.png
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


@pytest.mark.parametrize(("code", "told"), [(0, 0), (4, 1)])
def test_a_demo_with_and_without_the_pull(code: int, told: int, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE.read_text())
    command = tmp_path / "bin" / "kinblend"
    command.parent.mkdir()
    command.write_text(KINBLEND.format(code=code))
    command.chmod(0o755)
    words = ["make", "--silent", "--old-file", ".venv/demo", "demo", f"BIN={command.parent}"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "calls").read_text() == "models pull ffhq-mobile --quiet\ndemo --out demo\n"
    lines = done.stdout.splitlines()
    assert lines[-1] == "demo/demo.png"
    assert sum("could not be pulled" in line for line in lines) == told
