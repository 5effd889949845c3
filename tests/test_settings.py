"""Flags beat variables beat the file beat the defaults."""

from pathlib import Path

import pytest

from kinblend.errors import UsageError
from kinblend.settings import load_settings


def test_precedence(tmp_path: Path) -> None:
    (tmp_path / "kinblend.toml").write_text('device = "cpu"\nprecision = "bf16"\nblender = "mask"\n')
    environ = {"KINBLEND_PRECISION": "fp16", "KINBLEND_BLENDER": "slerp", "KINBLEND_OFFLINE": "1"}
    settings = load_settings(tmp_path, environ, blender="layer", device=None)
    assert (settings.device, settings.precision, settings.blender) == ("cpu", "fp16", "layer")
    assert settings.offline is True
    assert settings.backbone is None  # the core names no pack


@pytest.mark.parametrize("text", ["nonsense = 1", "= broken", "device = 3"])
def test_a_bad_file_is_a_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "kinblend.toml").write_text(text)
    with pytest.raises(UsageError):
        load_settings(tmp_path, {})


def test_an_unknown_variable_is_as_wrong_as_an_unknown_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="KINBLEND_NONSENSE"):
        load_settings(tmp_path, {"KINBLEND_NONSENSE": "1"})


def test_a_folder_called_like_the_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "kinblend.toml").mkdir()
    with pytest.raises(UsageError, match="directory"):
        load_settings(tmp_path, {})


def test_a_budget_may_be_a_number(tmp_path: Path) -> None:
    (tmp_path / "kinblend.toml").write_text('memory_budget = 2000000000\neditor = "other"\n')
    settings = load_settings(tmp_path, {})
    assert (settings.memory_budget, settings.editor) == ("2000000000", "other")
