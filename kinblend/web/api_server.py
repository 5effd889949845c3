"""Routes about the server: what it can do, how it is, and what it is to forget."""

from __future__ import annotations

import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response
from pydantic import TypeAdapter

from kinblend.plugins import load_plugins
from kinblend.web.access import OWNER
from kinblend.web.engine_service import EngineService
from kinblend.web.forms import fields_of
from kinblend.web.problems import ProblemError, documented, problem
from kinblend.web.schemas import AttributeAnswer, StrategyAnswer
from kinblend.web.services import Owner, ServicesDep

if TYPE_CHECKING:
    from kinblend.registry import PluginSpec

router = APIRouter()


@router.get("/api/v1/strategies", tags=["server"], responses=documented(), response_model=list[StrategyAnswer])
async def strategies(services: ServicesDep) -> Response:
    """All blenders, those of third parties too, and the JSON schema of their options."""
    return Response(_strategies(services.engine_service), media_type="application/json")


def _options(engine_service: EngineService, spec: PluginSpec) -> dict[str, Any]:
    """The JSON schema of a strategy's options, with what a mapping can name on this backbone."""
    schema = copy.deepcopy(dict(spec.options_schema()))
    for control in fields_of(spec):
        if control.kind == "parts" and (names := engine_service.names_for(spec, control.name)):
            schema["properties"][control.name]["propertyNames"] = {"enum": names}
    return schema


@lru_cache(maxsize=4)  # an app has one
def _strategies(engine_service: EngineService) -> bytes:
    """All blenders as JSON, which takes longer to make than to send."""
    plugins = load_plugins()
    found = [
        StrategyAnswer(
            name=spec.name,
            summary=spec.summary,
            origin=plugins.distribution_of(spec),
            stochastic=engine_service.is_stochastic(spec),
            available=not engine_service.lacking[spec.name],
            note=engine_service.lacking[spec.name] or None,
            options=_options(engine_service, spec),
        )
        for spec in plugins["blender"]
    ]
    return TypeAdapter(list[StrategyAnswer]).dump_json(found)


@router.get("/api/v1/attributes", tags=["server"], responses=documented())
async def attributes(services: ServicesDep) -> list[AttributeAnswer]:
    """What can be edited on this backbone."""
    engine_service = services.engine_service
    return [
        AttributeAnswer(name=name, note=note, units=engine_service.units[name])
        for name, note in engine_service.attributes.items()
    ]


@router.delete("/api/v1/mine", tags=["server"], status_code=204, responses=documented())
async def forget(services: ServicesDep, owner: Owner, response: Response) -> None:
    """Forget everything of the client whose cookie comes along, and the cookie."""
    if not owner:
        raise ProblemError(403, "nobody", "Without a cookie nothing is yours alone; delete photos and children by id")
    services.forget(owner)
    response.delete_cookie(OWNER)


@router.get("/healthz", tags=["server"])
async def alive() -> dict[str, str]:
    """The server answers."""
    return {"status": "ok"}


@router.get("/readyz", tags=["server"], response_model=dict[str, str], responses={503: documented(503)[503]})
async def ready(services: ServicesDep) -> dict[str, str] | Response:
    """The models are loaded and the queue has room."""
    if services.failed:
        return problem(503, "not-ready", "The models could not be loaded; the server's log says why")
    if not services.engine_service.ready:
        return problem(503, "not-ready", "The models are being loaded", {"Retry-After": "2"})
    if len(services.worker) >= services.limits.waiting:
        return problem(503, "queue-full", "The queue is full", {"Retry-After": "2"})
    return {"status": "ready"}


@router.get("/metrics", include_in_schema=False)
async def metrics(services: ServicesDep) -> Response:
    """For Prometheus."""
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4")
