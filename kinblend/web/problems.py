"""Errors as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from kinblend.errors import FaceError, ImageError, InputError, KinblendError, ModelError, UsageError
from kinblend.web.jobs import JobCancelledError, QueueFullError
from kinblend.web.paths import without_paths

RETRY_AFTER = 2  # seconds
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class Problem(BaseModel):
    """What went wrong, for programs and for people."""

    type: str = Field(description="urn:kinblend: and a word that says which kind of problem")
    title: str
    status: int
    detail: str = Field(description="what happened, and what to do")


class ProblemError(Exception):
    """A request that can't be answered. kind: one word; status: of HTTP; detail: what to do."""

    def __init__(self, status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail, self.headers = status, kind, detail, headers


def problem(status: int, kind: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem as a response."""
    content = describe(status, kind, detail)
    return JSONResponse(content, status, dict(headers or {}), media_type="application/problem+json")


def describe(status: int, kind: str, detail: str) -> dict[str, Any]:
    """A problem as its JSON."""
    title = kind.replace("-", " ").capitalize()
    return Problem(type=f"urn:kinblend:{kind}", title=title, status=status, detail=detail).model_dump()


def from_error(error: KinblendError) -> ProblemError:
    """One of our own errors as a problem: its kind is its class's name."""
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    text = without_paths(str(error))
    detail = text[:1].upper() + text[1:]
    if isinstance(error, QueueFullError):
        return ProblemError(503, kind, detail, {"Retry-After": str(RETRY_AFTER)})
    if isinstance(error, JobCancelledError):
        return ProblemError(409, kind, detail)
    if isinstance(error, ModelError):  # whose text names files of this machine
        return ProblemError(422, kind, "This needs a model that is not installed on this server; choose another way")
    refused = isinstance(error, (ImageError, FaceError, InputError, UsageError))
    return ProblemError(422 if refused else 500, kind, detail)


def explain(error: Mapping[str, Any], sent: Any) -> str:
    """What is wrong with a request, and where: the field as the client named it.

    error: of pydantic. sent: what was validated. What a location has beside names of fields is pydantic's own.
    """
    found, here = [], sent
    for part in error["loc"]:
        if (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        ):
            here = here[part]
        elif error["type"] != "missing":
            continue
        found.append(str(part))
    return ": ".join([*filter(None, [".".join(found)]), error["msg"]])


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problems of a route, for its OpenAPI document."""
    always = {400, 401, 403, 413, 422, 429}
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _MEANS[status], "content": content} for status in sorted(always | set(statuses))}


_MEANS = {
    400: "The request can't be read",
    401: "The token is missing or wrong",
    403: "Asked from another site, or by another name than this server's",
    404: "There is no such thing, or it is gone already",
    409: "Not in this state",
    408: "The request took too long to come",
    413: "Too large",
    415: "Not of this kind",
    422: "Readable, but it won't do; the detail says why",
    429: "Too many requests; try again after Retry-After",
    500: "The work failed",
    503: "The queue is full; try again after Retry-After",
}


def answer_problems(app: FastAPI) -> None:
    """Make every error of an app a problem."""

    @app.exception_handler(ProblemError)
    async def _problem(request: Request, error: ProblemError) -> Response:
        return problem(error.status, error.kind, error.detail, error.headers)

    @app.exception_handler(KinblendError)
    async def _ours(request: Request, error: KinblendError) -> Response:
        return await _problem(request, from_error(error))

    @app.exception_handler(Exception)
    async def _ours_to_mend(request: Request, error: Exception) -> Response:
        return problem(500, "failed", "This went wrong here, not with you; the server's log says more")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        kind = _MEANS.get(error.status_code, "error").split(",")[0].split(";")[0]
        kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, kind.lower().replace(" ", "-"))
        headers = {"Allow": _allowed(request) or "GET, HEAD"} if error.status_code == 405 else error.headers
        return problem(error.status_code, kind.replace("'", ""), str(error.detail), headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        return problem(422, "invalid-request", _where(error))


def _where(error: RequestValidationError) -> str:
    first = error.errors()[0]
    place, *way = first["loc"]
    if place == "body":
        return explain({**first, "loc": way}, error.body)
    return f"{'.'.join(map(str, way))}: {first['msg']}"


def _allowed(request: Request) -> str:
    """All methods of a path: each of its routes knows only its own."""
    found: set[str] = set()
    for method in METHODS:
        matches = (route.matches({**request.scope, "method": method})[0] for route in request.app.router.routes)
        if Match.FULL in matches:
            found.add(method)
    return ", ".join(sorted(found))
