"""Routes for the other parent: of a child and one parent."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from kinblend.web import pictures
from kinblend.web.api_children import file_of
from kinblend.web.api_photos import picture
from kinblend.web.paths import without_paths
from kinblend.web.problems import ProblemError, documented
from kinblend.web.records import PartnerOrder
from kinblend.web.schemas import Id, PartnerAnswer, PartnerRequest
from kinblend.web.services import Owner, Services, ServicesDep

router = APIRouter(prefix="/api/v1/partners", tags=["partners"])


@router.post(
    "",
    status_code=202,
    responses=documented(404, 409, 503) | {200: {"model": PartnerAnswer, "description": "Done already"}},
)
async def place(order: PartnerRequest, response: Response, services: ServicesDep, owner: Owner) -> PartnerAnswer:
    """Order the other parent's likely face, of two photographs that were looked at."""
    child, parent = services.parent(owner, order.child), services.parent(owner, order.parent)
    made = services.submit_partner(owner, order, child, parent)
    response.headers["Location"] = f"/api/v1/partners/{made.name}"
    response.status_code = 200 if made.status == "done" else 202
    return answer(services, made)


@router.get("/{order}", responses=documented(404))
async def show(order: Id, services: ServicesDep, owner: Owner) -> PartnerAnswer:
    """How far an order has come, and the face once it is there."""
    return answer(services, services.order(owner, order, PartnerOrder))


@router.delete("/{order}", status_code=204, responses=documented(404))
async def forget(order: Id, services: ServicesDep, owner: Owner) -> None:
    """Forget a face now, or give up an order that is not done."""
    services.order(owner, order, PartnerOrder)
    services.orders.take(owner, order)


@router.get("/{order}/picture.jpg", response_class=Response, responses=documented(404, 409) | picture("image/jpeg"))
async def show_picture(order: Id, services: ServicesDep, owner: Owner) -> Response:
    """The other parent for screens."""
    return Response(_done(services, owner, order).picture, media_type="image/jpeg")


@router.get("/{order}/picture.png", response_class=Response, responses=documented(404, 409) | picture("image/png"))
async def download_picture(order: Id, services: ServicesDep, owner: Owner) -> Response:
    """The other parent without loss; its metadata says that it is synthetic."""
    made = _done(services, owner, order).made
    assert made is not None
    return file_of(await run_in_threadpool(pictures.png, made.picture), "image/png", "partner.png")


def _done(services: Services, owner: str, name: str) -> PartnerOrder:
    order = services.order(owner, name, PartnerOrder)
    if order.made is None:
        raise ProblemError(409, "not-done", "The face is not there yet; see the order's status")
    return order


def answer(services: Services, order: PartnerOrder) -> PartnerAnswer:
    """What a client is told of its order."""
    here, made = f"/api/v1/partners/{order.name}", order.made
    return PartnerAnswer.model_validate(
        {
            **services.progress_of(order, here),
            "warnings": [without_paths(text) for text in (made.warnings if made else ())],
            "age": made.age if made else None,
            "sex": made.sex if made else None,
            "picture": f"{here}/picture.jpg" if made else None,
            "png": f"{here}/picture.png" if made else None,
        }
    )
