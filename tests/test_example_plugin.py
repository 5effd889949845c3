"""The stand-alone example plugin, installed as a stranger would install it, keeps the contract."""

import json
import os
import subprocess
import sys
from pathlib import Path

from kinblend.cli.demo import FATHER, MOTHER, example

EXAMPLE = Path(__file__).parents[1] / "examples" / "kinblend-regions"


def test_the_example_installs_and_passes_the_contract(tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    install += ["--no-build-isolation", "--target", str(site), str(EXAMPLE)]
    subprocess.run(install, check=True, capture_output=True)
    environ = os.environ | {"PYTHONPATH": str(site)}
    shown = subprocess.run(
        [sys.executable, "-m", "kinblend.cli", "blenders", "list", "--json"],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"regions"' in shown.stdout
    words = ["run", "--father", str(example(FATHER)), "--mother", str(example(MOTHER)), "--blender", "regions"]
    run = subprocess.run(
        [sys.executable, "-m", "kinblend.cli", *words, "--json", "--quiet", "--out", str(tmp_path / "out")],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout)["blender"]["from"].startswith("kinblend-regions ")
    assert (tmp_path / "out" / "child.png").is_file()
    test = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE / "tests")]
    done = subprocess.run(test, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "6 passed" in done.stdout
