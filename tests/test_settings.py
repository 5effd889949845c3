"""Flags beat variables beat the file beat the defaults."""

from pathlib import Path

import pytest

from kinblend import Engine, load_backbone
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


def test_an_unknown_variable_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else's script may set it; a misspelt one should not go unseen."""
    for _ in range(2):
        load_settings(tmp_path, {"KINBLEND_NONSENSE": "1"})
    [warning] = [record.getMessage() for record in caplog.records]
    assert "KINBLEND_NONSENSE is set, and means nothing" in warning


def test_an_engine_and_a_backbone_follow_the_same_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kinblend.toml").write_text('precision = "bf16"\nmemory_budget = "1GiB"\nbackbone = "morphable"\n')
    monkeypatch.chdir(tmp_path)
    for pool in (Engine().pool, load_backbone().pool):
        assert (pool.precision, pool.budget) == ("bf16", 2**30)
    assert Engine(precision="fp32", memory_budget="2GiB").pool.precision == "fp32"


def test_a_folder_called_like_the_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "kinblend.toml").mkdir()
    with pytest.raises(UsageError, match="directory"):
        load_settings(tmp_path, {})


def test_a_budget_may_be_a_number(tmp_path: Path) -> None:
    (tmp_path / "kinblend.toml").write_text('memory_budget = 2000000000\neditor = "other"\n')
    settings = load_settings(tmp_path, {})
    assert (settings.memory_budget, settings.editor) == ("2000000000", "other")
