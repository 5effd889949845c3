"""A plugin's author sees where the plugin failed."""

import logging

import pytest

from kinblend.errors import PluginError, wrap_plugin_errors


def test_the_log_has_the_traceback_of_a_failing_plugin(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.DEBUG, "kinblend"),
        pytest.raises(PluginError, match="NameError"),
        wrap_plugin_errors("blender 'mine'"),
    ):
        raise NameError("codes")
    assert "Traceback" in caplog.text
