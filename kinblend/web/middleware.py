"""What stands before every route: metrics, headers, access, rates, sizes. Plain ASGI: streams stay streams."""

from __future__ import annotations

import asyncio
import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kinblend.web.access import Access, owner_of
from kinblend.web.limits import Limits
from kinblend.web.metrics import Metrics
from kinblend.web.problems import RETRY_AFTER, ProblemError, problem
from kinblend.web.rates import Rates

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "media-src 'self' blob: mediastream:; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
TOO_SLOW = "The request took too long to come; try again"
TOO_MUCH = "Too much is being sent at once; try again"
UNMETERED = ("/static/", "/healthz", "/readyz", "/metrics")  # asked for by programs that watch, and by every page
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """Security headers on every answer; nothing but static files may be kept by a cache. policy: of its content."""

    def __init__(self, app: ASGIApp, policy: str = CONTENT_POLICY) -> None:
        self._app, self._headers = app, HEADERS | {"Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, headed if scope["type"] == "http" else send)


class Pacing:
    """Lets requests begin one after the other, with a pass of the event loop in between.

    However many there are, those of programs that watch are answered at once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._turn = app, asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(UNMETERED):
            async with self._turn:
                await asyncio.sleep(0)
        await self._app(scope, receive, send)


class MetricsMiddleware:
    """Counts and times the answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._metrics.answered(scope["method"], route, message["status"], time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, counted)


class AuthMiddleware:
    """Lets in who may, as often as they may."""

    def __init__(self, app: ASGIApp, access: Access, rates: Rates, address_rates: Rates) -> None:
        self._app, self._access, self._rates, self._address_rates = app, access, rates, address_rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope, Headers(scope=scope))
        except ProblemError as error:
            if error.status == 401 and "text/html" in Headers(scope=scope).get("accept", ""):
                error.headers = {"Location": "/login"}
                error.status = 303
            await problem(error.status, error.kind, error.detail, error.headers)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _check(self, scope: Scope, headers: Headers) -> None:
        path, address = scope["path"], scope["client"][0] if scope.get("client") else ""
        self._access.check(scope["method"], path, headers)
        if not path.startswith(UNMETERED):
            # Whoever takes another name with every request still comes from one address.
            seconds = self._address_rates.take(address) or self._rates.take(self._client(address, headers))
            if seconds:
                detail = f"Too many requests; try again in {seconds:.0f} s"
                raise ProblemError(429, "too-many-requests", detail, {"Retry-After": f"{seconds:.0f}"})

    def _client(self, address: str, headers: Headers) -> str:
        """On the loopback all have one address, and only their own harm to do: there the cookie tells them apart."""
        return f"{address} {owner_of(headers)}" if self._access.is_local else address


class BodyLimit:
    """Refuses a body that is too large: at once where it says so, else when it has come to be. And one that takes too
    long to come, and one for which all others leave no room."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits
        self._held = 0  # bytes of all bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, read = Headers(scope=scope), 0
        is_form = headers.get("content-type", "").startswith("multipart/")
        most = self._limits.request_bytes if is_form else self._limits.json_bytes
        detail = f"A request has at most {most / 2**20:.0f} MB; send less"
        claimed = headers.get("content-length", "0")
        if not re.fullmatch("[0-9]{1,18}", claimed) or int(claimed) > most:
            await problem(413, "too-large", detail, {"Connection": "close"})(scope, receive, send)
            return

        end, whole = 0.0, False

        async def counted() -> Message:
            nonlocal read, whole, end
            end = end or asyncio.get_running_loop().time() + self._limits.body_seconds
            try:
                async with asyncio.timeout_at(None if whole else end):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, TOO_SLOW, {"Connection": "close"}) from None
            size = len(message.get("body", b""))
            whole = whole or not message.get("more_body", False)
            read, self._held = read + size, self._held + size
            if read > most:
                raise HTTPException(413, detail)
            if self._held > self._limits.uploads_bytes:
                raise HTTPException(503, TOO_MUCH, {"Retry-After": str(RETRY_AFTER)})
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= read
