"""The app, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from kinblend.settings import Settings
from kinblend.web import api_children, api_events, api_partners, api_photos, api_server, api_trees, pages
from kinblend.web.access import Access
from kinblend.web.engine_service import EngineService
from kinblend.web.limits import Limits
from kinblend.web.middleware import AuthMiddleware, BodyLimit, MetricsMiddleware, Pacing, SecurityHeaders
from kinblend.web.problems import Problem, answer_problems
from kinblend.web.schemas import DirectRequest
from kinblend.web.services import Services


def create_app(
    settings: Settings, access: Access | None = None, limits: Limits | None = None, judge: bool = False
) -> FastAPI:
    """The web app over one engine.

    settings: of the engine. access: who may come in; default: this machine. limits: what they may ask for. judge: as
        `EngineService` takes it.
    Raises `ModelError` where the backbone is missing.
    """
    limits, access = limits or Limits(), access or Access()
    services = Services(EngineService(settings, limits, judge), limits, access)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with services.running():
            yield

    app = FastAPI(
        title="kinblend",
        version=version("kinblend"),
        summary="Predict how a child of two people might look",
        lifespan=lifespan,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # they would fetch their scripts from elsewhere
        redoc_url=None,
    )
    app.state.services = services
    for module in (api_photos, api_events, api_children, api_partners, api_trees, api_server, pages):
        app.include_router(module.router)
    app.mount("/static", _Static(directory=pages.HERE / "static"), name="static")
    answer_problems(app)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(AuthMiddleware, access=access, rates=services.rates, address_rates=services.address_rates)
    app.add_middleware(MetricsMiddleware, metrics=services.metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Pacing)
    return app


class _Static(StaticFiles):
    """Static files, kept by browsers: their addresses change with their content."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if scope.get("query_string"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the models that no route names by itself."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        schemas = document["components"]["schemas"]
        for model in (Problem, DirectRequest):
            schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
        app.openapi_schema = document
    return app.openapi_schema
