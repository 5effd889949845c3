"""What all routes share: the stores, the worker and the engine service, and how an order becomes a family."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from kinblend.errors import KinblendError, summarize
from kinblend.pipeline import Result
from kinblend.web.access import Access, owner_of
from kinblend.web.engine_service import EngineService
from kinblend.web.jobs import Job, JobCancelledError, Worker
from kinblend.web.limits import Limits
from kinblend.web.malloc import trim
from kinblend.web.metrics import Metrics
from kinblend.web.paths import without_paths
from kinblend.web.problems import ProblemError, describe, from_error
from kinblend.web.rates import Rates
from kinblend.web.records import Family, Photo
from kinblend.web.schemas import ChildrenRequest
from kinblend.web.store import ContentIds, LruStore

LOG = logging.getLogger(__name__)
T = TypeVar("T")
Made = tuple[Result, list[bytes]]
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
        self.families: LruStore[Family] = LruStore(limits.families_each, limits.store_bytes // 2, limits.lifetime)
        self.worker = Worker(limits.waiting, self.metrics.worked, limits.job_seconds)
        for name, text, value in (
            ("queue_length", "Jobs that wait.", lambda: len(self.worker)),
            ("photos", "Photographs kept.", lambda: len(self.photos)),
            ("families", "Families kept.", lambda: len(self.families)),
            ("kept_bytes", "Bytes of all that is kept.", lambda: self.photos.size + self.families.size),
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

    def family(self, owner: str, name: str) -> Family:
        """One that is kept. Raises `ProblemError`."""
        return _found(self.families.get(owner, name), "order")

    def children(self, owner: str, name: str, number: int = 1) -> Family:
        """One whose children are there. Raises `ProblemError`."""
        family = self.family(owner, name)
        if family.result is None:
            raise ProblemError(409, "not-done", "The children are not there yet; see the order's status")
        if not 1 <= number <= len(family.result.children):
            raise ProblemError(404, "not-found", f"There is no child number {number}")
        return family

    def submit(self, owner: str, order: ChildrenRequest, father: Photo, mother: Photo) -> Family:
        """An order as a family to be; the same order gives the same one. Raises `UsageError`, `QueueFullError`."""
        faces, defaults = f"{father.face} {mother.face}", " ".join(sorted(order.age_and_sex.by_default))
        name = self.ids.of(owner, "family", order.model_dump_json(), defaults, faces)
        known = self.families.get(owner, name)
        if known is not None and known.status != "failed":
            return known
        self.engine_service.check(order, order.children)
        family, loop = Family(name, order, father, mother), asyncio.get_running_loop()
        family.job = self.worker.submit("children", lambda job: self._execute(family, job, loop), owner=owner)
        family.job.future.add_done_callback(lambda _: loop.call_soon_threadsafe(_finish, family))
        self.families.put(owner, name, family)
        return family

    def remove_listener(self, family: Family) -> None:
        """A listener left. Where none comes back, the order is given up."""
        family.listeners -= 1
        if not family.is_finished:
            asyncio.get_running_loop().call_later(GRACE, _cancel_alone, family)

    def forget(self, owner: str) -> int:
        """Let everything of an owner go. Returns how many things that were."""
        return self.families.clear(owner) + self.photos.clear(owner)

    async def result_of(self, job: Job[T], request: Request) -> T:
        """What comes of a job; it is given up when the client leaves. Raises what the job raises."""
        work = asyncio.ensure_future(asyncio.wrap_future(job.future))
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

    def _execute(self, family: Family, job: Job[Made], loop: asyncio.AbstractEventLoop) -> Made:
        def on_stage(stage: str) -> None:
            job.check()
            loop.call_soon_threadsafe(lambda: family.update(status="running", stage=stage))

        order = family.order
        assert family.father.parent is not None and family.mother.parent is not None
        return self.engine_service.run(family.father.parent, family.mother.parent, order, order.children, on_stage)

    async def _sweep(self) -> None:
        kept = 0
        while True:
            await asyncio.sleep(SWEEP)
            self.photos.sweep()
            self.families.sweep()
            before, kept = kept, self.photos.size + self.families.size
            if kept < before:
                await asyncio.to_thread(trim)


def _finish(family: Family) -> None:
    assert family.job is not None
    future = family.job.future
    error = JobCancelledError("nobody waited for it") if future.cancelled() else future.exception()
    family.job = None
    if error is None:
        result, pictures = future.result()
        family.update(status="done", result=result, pictures=pictures)
        return
    found = (
        from_error(error)
        if isinstance(error, KinblendError)
        else ProblemError(500, "failed", without_paths(summarize(error)))
    )
    family.update(status="failed", problem=describe(found.status, found.kind, found.detail))


def _cancel_alone(family: Family) -> None:
    if family.listeners <= 0 and family.job is not None:
        family.job.cancel()


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
