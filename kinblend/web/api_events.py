"""Progress as it happens: server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from kinblend.web import api_children, api_partners, api_trees
from kinblend.web.problems import documented
from kinblend.web.records import Family, Order, PartnerOrder, TreeOrder
from kinblend.web.services import Services, ServicesDep, one_of

router = APIRouter(prefix="/api/v1")
IN_QUEUE = 1.0  # seconds between events while others are ahead


@router.get(
    "/children/{order}/events",
    tags=["children"],
    response_class=EventSourceResponse,
    responses=documented(404),
)
async def listen(
    services: ServicesDep, family: Annotated[Family, Depends(one_of(Family))]
) -> AsyncIterable[ServerSentEvent]:
    """The order as it changes: an event `progress` with the same JSON as the order itself, and a last one, `done` or
    `failed`. An order whose last listener leaves is given up."""
    async for event in _events(services, family, lambda: api_children.answer(services, family)):
        yield event


@router.get(
    "/partners/{order}/events", tags=["partners"], response_class=EventSourceResponse, responses=documented(404)
)
async def listen_to_partner(
    services: ServicesDep, partner: Annotated[PartnerOrder, Depends(one_of(PartnerOrder))]
) -> AsyncIterable[ServerSentEvent]:
    """The order as it changes, as that of children."""
    async for event in _events(services, partner, lambda: api_partners.answer(services, partner)):
        yield event


@router.get("/trees/{order}/events", tags=["trees"], response_class=EventSourceResponse, responses=documented(404))
async def listen_to_tree(
    services: ServicesDep, tree: Annotated[TreeOrder, Depends(one_of(TreeOrder))]
) -> AsyncIterable[ServerSentEvent]:
    """The order as it changes, as that of children."""
    async for event in _events(services, tree, lambda: api_trees.answer(services, tree)):
        yield event


async def _events(
    services: Services, order: Order, answer: Callable[[], BaseModel]
) -> AsyncIterator[ServerSentEvent]:
    order.listeners += 1
    try:
        while True:
            changed = order.changed
            yield ServerSentEvent(event=order.status if order.is_finished else "progress", data=answer())
            if order.is_finished:
                return
            await _either(changed)
    finally:
        services.remove_listener(order)


async def _either(changed: asyncio.Event) -> None:
    """Until something changes; at most a second, for the place in the queue."""
    try:
        await asyncio.wait_for(changed.wait(), IN_QUEUE)
    except TimeoutError:
        return
