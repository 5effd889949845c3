"""How far long work has come: the work tells, whoever started it may listen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("kinblend_progress", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within, in this thread, `tell_progress` calls `listener(done, total)`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell_progress(done: int, total: int) -> None:
    """Tell how much is done of the stage that is under way; costs nothing where nobody listens."""
    listener = _listener.get()
    if listener is not None:
        listener(done, total)
