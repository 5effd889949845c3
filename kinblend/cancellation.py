"""Work that can be given up while it runs: whoever started it says how to ask, and the work asks often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

_asked: ContextVar[Callable[[], None] | None] = ContextVar("kinblend_asked", default=None)


@contextmanager
def cancellable(check: Callable[[], None]) -> Iterator[None]:
    """Within, in this thread, `check_cancelled` calls `check`, which raises where the work is to end.

    So does every layer of every network that is called, whoever wrote it.
    """
    _watch_networks()
    token = _asked.set(check)
    try:
        yield
    finally:
        _asked.reset(token)


def check_cancelled() -> None:
    """Raise what ends the work, if nobody waits for it any more; costs nothing where it can't be given up.

    Whatever takes longer than a tenth of a second calls this between its steps: plugins, too.
    """
    check = _asked.get()
    if check is not None:
        check()


@cache
def _watch_networks() -> None:
    """Have torch ask before each module's `forward`. Compiled networks are one step each, and are left alone."""
    import torch
    from torch.nn.modules.module import register_module_forward_pre_hook

    def ask(module: Any, inputs: Any) -> None:
        if not torch.compiler.is_compiling():
            check_cancelled()

    register_module_forward_pre_hook(ask)
