"""The stand-alone example plugin, installed into a fresh environment as a stranger would, keeps the contract."""

import json
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from kinblend.cli.demo import FATHER, MOTHER, example

EXAMPLE = Path(__file__).parents[1] / "examples" / "kinblend-regions"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the example in it, and kinblend as it is installed here: to install
    that anew would take a minute and the network."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (packages / "around.pth").write_text("\n".join(lines) + "\n")
    interpreter = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-deps"]
    install += ["--disable-pip-version-check", "--no-build-isolation", str(EXAMPLE)]
    subprocess.run(install, check=True, capture_output=True)
    assert list(packages.glob("kinblend_regions-*.dist-info"))
    return interpreter


def run(python: Path, *words: object, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([python, "-m", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False)


def test_its_strategy_is_listed_and_runs(python: Path, tmp_path: Path) -> None:
    shown = run(python, "kinblend.cli", "blenders", "list", "--json", folder=tmp_path)
    assert '"regions"' in shown.stdout, shown.stderr
    words = ["run", "--father", example(FATHER), "--mother", example(MOTHER), "--blender", "regions", "--out", "out"]
    done = run(python, "kinblend.cli", *words, "--json", "--quiet", folder=tmp_path)
    assert json.loads(done.stdout)["blender"]["from"].startswith("kinblend-regions "), done.stderr
    assert (tmp_path / "out" / "child.png").is_file()


def test_it_keeps_the_contract(python: Path, tmp_path: Path) -> None:
    done = run(python, "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "5 passed, 1 skipped" in done.stdout
