"""HTTP for clients that may be slow on purpose."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


def timed(seconds: float) -> type[H11Protocol]:
    """uvicorn's protocol, which closes a connection whose request takes longer than that to say what it wants."""

    class Timed(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._stop()

        def _watch(self) -> None:
            """Count the time from the first byte of a request to the end of its head."""
            if not self._is_waiting():
                self._stop()
            elif self._timer is None:
                self._timer = self.loop.call_later(seconds, self._close)

        def _is_waiting(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _close(self) -> None:
            self._timer = None
            if self._is_waiting() and not self.transport.is_closing():
                self.transport.close()

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Timed
