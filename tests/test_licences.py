"""Every file of weights, and every picture that is shipped, has a line in LICENSES/README.md; every line is about one
that is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TABLE = (ROOT / "LICENSES" / "README.md").read_text("utf-8")
LISTED = set(re.findall(r"^\| `([^`]+)` \| (?:MIT|non-commercial) \|", TABLE, re.M))


LARGEST = 60_000  # bytes of a picture


def shipped(*kinds: str) -> list[str]:
    found = [
        path for top in ("kinblend", "plugins", "examples") for kind in kinds for path in (ROOT / top).rglob(kind)
    ]
    return sorted(str(path.relative_to(ROOT)) for path in found)


@pytest.mark.parametrize("file", shipped("*.safetensors"))
def test_weights_have_a_licence(file: str) -> None:
    assert file in LISTED


@pytest.mark.parametrize("file", shipped("*.jpg", "*.jpeg", "*.png", "*.webp", "*.gif"))
def test_pictures_have_a_licence_and_are_small(file: str) -> None:
    assert file in LISTED and (ROOT / file).stat().st_size <= LARGEST


def test_what_is_listed_is_there() -> None:
    assert [path for path in LISTED if not (ROOT / path).exists()] == []


def test_the_distribution_names_both_licences() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    [expression] = re.findall(r'^license = "(.+)"$', text, re.M)
    for name in re.findall(r"LicenseRef-[\w.-]+", expression):
        assert (ROOT / "LICENSES" / f"{name}.txt").is_file()
    assert expression.startswith("MIT AND ")
