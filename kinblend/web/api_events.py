"""Progress as it happens: server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent

from kinblend.web.api_children import answer
from kinblend.web.problems import documented
from kinblend.web.records import Family
from kinblend.web.schemas import Id
from kinblend.web.services import Owner, ServicesDep

router = APIRouter(prefix="/api/v1/children", tags=["children"])
IN_QUEUE = 1.0  # seconds between events while others are ahead


def _family(order: Id, services: ServicesDep, owner: Owner) -> Family:
    return services.family(owner, order)


@router.get("/{order}/events", response_class=EventSourceResponse, responses=documented(404))
async def listen(
    order: Id, services: ServicesDep, family: Annotated[Family, Depends(_family)]
) -> AsyncIterable[ServerSentEvent]:
    """The order as it changes: an event `progress` with the same JSON as the order itself, and a last one, `done` or
    `failed`. An order whose last listener leaves is given up."""
    family.listeners += 1
    try:
        while True:
            changed = family.changed
            yield ServerSentEvent(
                event=family.status if family.is_finished else "progress", data=answer(services, family)
            )
            if family.is_finished:
                return
            await _either(changed)
    finally:
        services.remove_listener(family)


async def _either(changed: asyncio.Event) -> None:
    """Until something changes; at most a second, for the place in the queue."""
    try:
        await asyncio.wait_for(changed.wait(), IN_QUEUE)
    except TimeoutError:
        return
