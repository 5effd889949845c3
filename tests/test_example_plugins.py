"""The stand-alone example plugins, installed into a fresh environment as a stranger would, keep their contracts."""

import json
import re
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from kinblend.cli.demo import FATHER, MOTHER, example

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if (path / "pyproject.toml").is_file())


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the examples in it, and kinblend as it is installed here: a new
    installation would take a minute and the network."""
    folder = tmp_path_factory.mktemp("fresh") / "env"
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (packages / "around.pth").write_text("\n".join(lines) + "\n")
    interpreter = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-deps"]
    install += ["--disable-pip-version-check", "--no-build-isolation", *(str(EXAMPLES / name) for name in NAMES)]
    subprocess.run(install, check=True, capture_output=True)
    assert len(list(packages.glob("kinblend_*-*.dist-info"))) == len(NAMES)
    return interpreter


def run(python: Path, *words: object, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run([python, "-m", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("blenders", "regions"),
        ("identity-networks", "pixels"),
        ("upscalers", "lanczos"),
        ("projectors", "thumbnails"),
    ],
)
def test_each_is_listed(kind: str, name: str, python: Path, tmp_path: Path) -> None:
    shown = run(python, "kinblend.cli", kind, "list", "--json", folder=tmp_path)
    [found] = [one for one in json.loads(shown.stdout) if one["name"] == name]
    assert found["plugin"] == name


def test_a_strangers_strategy_backbone_and_identity_network_make_a_child(python: Path, tmp_path: Path) -> None:
    parents = ["--father", example(FATHER), "--mother", example(MOTHER), "--backbone", "thumbnails"]
    words = [
        "run",
        *parents,
        "--blender",
        "regions",
        "--no-neutral",
        "--age",
        "parents",
        "--no-judge",
        "--out",
        "out",
    ]
    done = run(python, "kinblend.cli", *words, "--json", "--quiet", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["blender"]["from"].startswith("kinblend-regions ")
    assert manifest["backbone"]["name"] == "thumbnails"
    assert (tmp_path / "out" / "child.png").is_file()


@pytest.fixture(scope="module")
def outcomes(python: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What pytest says of the examples' own tests, a line for each: "PASSED …/kinblend-regions/tests/…"."""
    folders = [EXAMPLES / name / "tests" for name in NAMES]
    words = ["pytest", "-q", "-rA", "-p", "no:cacheprovider", *folders]
    return run(python, *words, folder=tmp_path_factory.mktemp("contracts")).stdout.splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_each_keeps_its_contracts(name: str, outcomes: list[str]) -> None:
    told = [line for line in outcomes if re.match(rf"[A-Z]+ (\[\d+\] )?(\S*/)?{name}/tests/", line)]
    assert {line.split()[0] for line in told} in ({"PASSED"}, {"PASSED", "SKIPPED"}), "\n".join(outcomes)
