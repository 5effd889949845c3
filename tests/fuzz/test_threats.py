"""A tenth of what `make trust` tries; times are not looked at, because machines are shared."""

from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the web extra is not installed")
if find_spec("openpeople") is None:
    pytest.skip("the example people (openpeople) are not installed", allow_module_level=True)

from fuzz.threats import THREATS


@pytest.mark.parametrize("name", THREATS)
def test_a_tenth_is_survived(name: str, tmp_path: Path) -> None:
    found = THREATS[name](0.1, tmp_path)
    assert found.tries > 5
    assert not found.failures
