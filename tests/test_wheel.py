"""What would go into a wheel, without building one: `make wheel` builds it, and tries it alone (`tests/wheel.py`)."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LARGEST = 75_500_000  # bytes before compression: a wheel of less than 60 MB


def shipped() -> list[tuple[str, int]]:
    """The files of a wheel with their sizes."""
    builders = pytest.importorskip("hatchling.builders.wheel")
    found = builders.WheelBuilder(str(ROOT)).recurse_included_files()
    return [(file.distribution_path, Path(file.path).stat().st_size) for file in found]


def test_a_wheel_holds_the_two_packages_and_stays_small() -> None:
    files = shipped()
    assert {name.split("/")[0] for name, _ in files} == {"kinblend", "kinblend_plugins"}
    assert [name for name, _ in files if re.search(r"\.(pyc|md)$|/tests?/", name)] == []
    assert sum(size for _, size in files) <= LARGEST


def test_the_version_is_told_alike_everywhere() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    [latest, date] = re.search(r"^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M).groups()
    assert cited and cited[1] == latest == version
    assert f"date-released: {date}" in (ROOT / "CITATION.cff").read_text("utf-8")
