"""Times the stages of a run and tells plugins about them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from kinblend.errors import PluginError
from kinblend.plugins import Plugins

LOG = logging.getLogger(__name__)
OnStage = Callable[[str], None]


class Stages:
    """`with stages("encode"): …` calls the lifecycle hooks and keeps the wall time in `seconds`."""

    def __init__(self, plugins: Plugins, run: dict[str, Any], on_stage: OnStage | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._plugins = plugins
        self._run = run
        self._on_stage = on_stage

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        if self._on_stage:
            self._on_stage(stage)
        self._plugins.call("kinblend_before_stage", stage=stage, run=deepcopy(self._run))
        started = time.perf_counter()
        try:
            yield
        except Exception as error:
            self._report(stage, error)
            raise
        self.seconds[stage] = time.perf_counter() - started
        LOG.info("%s: %.2f s", stage, self.seconds[stage])
        self._plugins.call("kinblend_after_stage", stage=stage, run=deepcopy(self._run), seconds=self.seconds[stage])

    def _report(self, stage: str, error: Exception) -> None:
        """Tell plugins. One that fails in it must not hide the error that matters."""
        try:
            self._plugins.call("kinblend_on_error", stage=stage, run=deepcopy(self._run), error=error)
        except PluginError as another:
            error.add_note(str(another))
