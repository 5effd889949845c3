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
    assert settings.backbone == "morphable"


@pytest.mark.parametrize("text", ["nonsense = 1", "= broken", "device = 3"])
def test_a_bad_file_is_a_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "kinblend.toml").write_text(text)
    with pytest.raises(UsageError):
        load_settings(tmp_path, {})
