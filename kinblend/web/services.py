"""What all routes share: the stores, the worker and the engine service, and how orders are worked on."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

from kinblend.errors import KinblendError, summarize
from kinblend.family_tree import FamilyTree
from kinblend.web.access import Access, owner_of
from kinblend.web.engine_service import EngineService
from kinblend.web.jobs import Job, JobCancelledError, Worker
from kinblend.web.limits import Limits
from kinblend.web.malloc import trim
from kinblend.web.metrics import Metrics
from kinblend.web.paths import without_paths
from kinblend.web.problems import ProblemError, describe, from_error
from kinblend.web.rates import Rates
from kinblend.web.records import Family, Order, PartnerOrder, Photo, TreeOrder
from kinblend.web.relatives import check_partner, check_tree, make_partner, make_tree
from kinblend.web.schemas import ChildrenRequest, Id, PartnerRequest
from kinblend.web.store import ContentIds, LruStore

LOG = logging.getLogger(__name__)
T = TypeVar("T")
Kind = TypeVar("Kind", bound=Order)
Tell = Callable[..., None]
SWEEP = 5.0  # seconds between looks for what is too old
GRACE = 3.0  # seconds a listener may be away before its order is given up: browsers reconnect


class Services:
    """One app's. engine_service: does the work. limits, access: what may be asked for, and by whom."""

    def __init__(self, engine_service: EngineService, limits: Limits, access: Access) -> None:
        self.engine_service, self.limits, self.access = engine_service, limits, access
        self.failed = False  # the models could not be loaded
        self.ids, self.metrics = ContentIds(), Metrics()
        self.rates = Rates(limits.requests_per_second, limits.burst)
        share = limits.address_share
        self.address_rates = Rates(share * limits.requests_per_second, share * limits.burst)
        self.photos: LruStore[Photo] = LruStore(limits.photos_each, limits.store_bytes // 2, limits.lifetime)
        self.orders: LruStore[Order] = LruStore(limits.orders_each, limits.store_bytes // 2, limits.lifetime)
        self.worker = Worker(limits.waiting, self.metrics.worked, limits.job_seconds)
        for name, text, value in (
            ("queue_length", "Jobs that wait.", lambda: len(self.worker)),
            ("photos", "Photographs kept.", lambda: len(self.photos)),
            ("orders", "Orders kept.", lambda: len(self.orders)),
            ("kept_bytes", "Bytes of all that is kept.", lambda: self.photos.size + self.orders.size),
        ):
            self.metrics.watch(name, text, value)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The thread runs and old things go, for the time of the `async with` block."""
        self.worker.start()
        warming = self.worker.submit("warm", lambda job: self.engine_service.warm_up(job.check), math.inf)
        warming.future.add_done_callback(self._warmed)
        sweeping = asyncio.create_task(self._sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            await asyncio.to_thread(self.worker.stop)

    def _warmed(self, future: Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None and not isinstance(error, JobCancelledError):
            self.failed = True
            LOG.error("the models could not be loaded: %s", summarize(error))

    async def add_photo(
        self, owner: str, data: bytes, request: Request, face: int | None = None, upscaler: str | None = None
    ) -> tuple[Photo, bool]:
        """A photograph, looked at; and whether it was known already. Raises `InputError`."""
        name = self.ids.of(owner, "photo", data, f"{face or ''}{upscaler or ''}")
        known = self.photos.get(owner, name)
        if known is not None:
            return known, True
        job = self.worker.submit(
            "inspect", lambda job: self.engine_service.inspect(data, face, upscaler), owner=owner
        )
        photo = await self.result_of(job, request)
        photo.name = name
        self.photos.put(owner, name, photo)
        return photo, False

    async def choose(self, owner: str, photo: Photo, face: int, request: Request) -> Photo:
        """The photograph, with another of its faces meant."""
        data = photo.data
        if data is None:
            raise ProblemError(409, "nothing-to-choose", "This photograph has one face; there is nothing to choose")
        if face > len(photo.faces):
            raise ProblemError(422, "no-such-face", f"This photograph has {len(photo.faces)} faces")
        inspect = self.engine_service.inspect
        job = self.worker.submit("inspect", lambda job: inspect(data, face, photo.upscaler), owner=owner)
        chosen = await self.result_of(job, request)
        chosen.name, chosen.data, chosen.faces, chosen.upscaler = photo.name, data, photo.faces, photo.upscaler
        self.photos.put(owner, photo.name, chosen)
        return chosen

    def photo(self, owner: str, name: str) -> Photo:
        """One that is kept. Raises `ProblemError`."""
        return _found(self.photos.get(owner, name), "photograph")

    def parent(self, owner: str, name: str) -> Photo:
        """One of which it is clear who is meant. Raises `ProblemError`."""
        photo = self.photo(owner, name)
        if photo.parent is None:
            detail = f"The photograph has {len(photo.faces)} faces; choose one first"
            raise ProblemError(409, "several-faces", detail)
        return photo

    def order(self, owner: str, name: str, kind: type[Kind]) -> Kind:
        """One that is kept, of this kind. Raises `ProblemError`."""
        found = self.orders.get(owner, name)
        return _found(found if isinstance(found, kind) else None, "order")

    def children(self, owner: str, name: str, number: int = 1) -> Family:
        """One whose children are there. Raises `ProblemError`."""
        family = self.order(owner, name, Family)
        if family.result is None:
            raise ProblemError(409, "not-done", "The children are not there yet; see the order's status")
        if not 1 <= number <= len(family.result.children):
            raise ProblemError(404, "not-found", f"There is no child number {number}")
        return family

    def submit(self, owner: str, order: ChildrenRequest, father: Photo, mother: Photo) -> Family:
        """An order as a family to be; the same order gives the same one. Raises `UsageError`, `QueueFullError`."""
        faces, defaults = f"{father.face} {mother.face}", " ".join(sorted(order.age_and_sex.by_default))
        name = self.ids.of(owner, "family", order.model_dump_json(), defaults, faces)
        if (known := self._known(owner, name, Family)) is not None:
            return known
        self.engine_service.check(order, order.children)

        def work(tell: Tell) -> dict[str, Any]:
            assert father.parent is not None and mother.parent is not None
            result, pictures = self.engine_service.run(
                father.parent, mother.parent, order, order.children, lambda stage: tell(stage=stage)
            )
            return {"result": result, "pictures": pictures}

        return self._begin(owner, Family(name, order, father, mother), "children", work)

    def submit_partner(self, owner: str, request: PartnerRequest, child: Photo, parent: Photo) -> PartnerOrder:
        """An order of the other parent; the same one gives the same. Raises `UsageError`, `QueueFullError`."""
        name = self.ids.of(owner, "partner", request.model_dump_json(), f"{child.face} {parent.face}")
        if (known := self._known(owner, name, PartnerOrder)) is not None:
            return known
        check_partner(self.engine_service, request)
        order = PartnerOrder(name, request, child, parent)
        return self._begin(
            owner,
            order,
            "partner",
            lambda tell: make_partner(self.engine_service, order, lambda: tell(stage="render")),
        )

    def submit_tree(self, owner: str, tree: FamilyTree, photos: Mapping[str, Photo], content: str) -> TreeOrder:
        """An order of a tree; the same one gives the same. Raises `UsageError`, `QueueFullError`.

        photos: of the photographed people. content: all that was asked for.
        """
        faces = " ".join(f"{photo.name} {photo.face}" for photo in photos.values())
        name = self.ids.of(owner, "tree", content, faces)
        if (known := self._known(owner, name, TreeOrder)) is not None:
            return known
        check_tree(self.engine_service, tree)
        order = TreeOrder(name, tree, photos)
        return self._begin(owner, order, "tree", lambda tell: make_tree(self.engine_service, order, tell))

    def _known(self, owner: str, name: str, kind: type[Kind]) -> Kind | None:
        """The same order, if it was placed before and has not failed."""
        known = self.orders.get(owner, name)
        return known if isinstance(known, kind) and known.status != "failed" else None

    def _begin(self, owner: str, order: Kind, kind: str, work: Callable[[Tell], dict[str, Any]]) -> Kind:
        """Queue the work on an order. work: given what tells how far it is; returns what is kept in the order."""
        loop = asyncio.get_running_loop()

        def execute(job: Job[dict[str, Any]]) -> dict[str, Any]:
            def tell(**changes: Any) -> None:
                job.check()
                loop.call_soon_threadsafe(lambda: order.update(status="running", **changes))

            return work(tell)

        order.job = self.worker.submit(kind, execute, owner=owner)
        order.job.future.add_done_callback(lambda _: loop.call_soon_threadsafe(_finish, order))
        self.orders.put(owner, order.name, order)
        return order

    def progress_of(self, order: Order, here: str) -> dict[str, Any]:
        """What every answer says of an order. here: its address."""
        return {
            "id": order.name,
            "status": order.status,
            "stage": order.stage,
            "ahead": self.worker.ahead_of(order.job) if order.job else 0,
            "events": f"{here}/events",
            "problem": order.problem,
        }

    def remove_listener(self, order: Order) -> None:
        """A listener left. Where none comes back, the order is given up."""
        order.listeners -= 1
        if not order.is_finished:
            asyncio.get_running_loop().call_later(GRACE, _cancel_alone, order)

    def forget(self, owner: str) -> int:
        """Let everything of an owner go. Returns how many things that were."""
        return self.orders.clear(owner) + self.photos.clear(owner)

    async def result_of(self, job: Job[T], request: Request) -> T:
        """What comes of a job; it is given up when the client leaves. Raises what the job raises."""
        work = asyncio.ensure_future(asyncio.wrap_future(job.future))
        work.add_done_callback(_seen)
        left: asyncio.Future[None] = asyncio.ensure_future(_until_gone(request))
        try:
            await asyncio.wait([work, left], return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
            if work.done() and not work.cancelled():
                return work.result()
            raise JobCancelledError("whoever asked has left")
        finally:
            left.cancel()
            if not work.done():
                job.cancel()

    async def _sweep(self) -> None:
        kept = 0
        while True:
            await asyncio.sleep(SWEEP)
            self.photos.sweep()
            self.orders.sweep()
            before, kept = kept, self.photos.size + self.orders.size
            if kept < before:
                await asyncio.to_thread(trim)


def _seen(work: asyncio.Future[T]) -> None:
    """Look at what became of work, so that asyncio does not log the error of a job that nobody waits for any more."""
    if not work.cancelled():
        work.exception()


def _finish(order: Order) -> None:
    assert order.job is not None
    future = order.job.future
    error = JobCancelledError("nobody waited for it") if future.cancelled() else future.exception()
    order.job = None
    if error is None:
        order.update(status="done", **future.result())
        return
    found = (
        from_error(error)
        if isinstance(error, KinblendError)
        else ProblemError(500, "failed", without_paths(summarize(error)))
    )
    order.update(status="failed", problem=describe(found.status, found.kind, found.detail))


def _cancel_alone(order: Order) -> None:
    if order.listeners <= 0 and order.job is not None:
        order.job.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _found(item: T | None, what: str) -> T:
    if item is None:
        raise ProblemError(404, "not-found", f"There is no such {what}; it may be gone: nothing is kept for long")
    return item


def services_of(request: Request) -> Services:
    """The app's services."""
    services: Services = request.app.state.services
    return services


def _owner(request: Request) -> str:
    return owner_of(request.headers)


ServicesDep = Annotated[Services, Depends(services_of)]
Owner = Annotated[str, Depends(_owner)]


def one_of(kind: type[Kind]) -> Callable[..., Kind]:
    """A dependency: the order of this kind that a route names."""

    def find(order: Id, services: ServicesDep, owner: Owner) -> Kind:
        return services.order(owner, order, kind)

    return find
