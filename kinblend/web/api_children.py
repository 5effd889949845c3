"""Routes for children: order them, see how far they are, take them along."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ValidationError

from kinblend.errors import InputError
from kinblend.pipeline import Result
from kinblend.web import pictures
from kinblend.web.api_photos import form_of, picture
from kinblend.web.engine_service import EngineService
from kinblend.web.multipart import read_form
from kinblend.web.paths import without_paths
from kinblend.web.problems import ProblemError, documented, explain
from kinblend.web.records import Family
from kinblend.web.resemblance import sentences
from kinblend.web.schemas import (
    AnalysisAnswer,
    ChildAnswer,
    ChildrenAnswer,
    ChildrenRequest,
    DirectRequest,
    Id,
    LayerWeights,
    Name,
    PreviewRequest,
    Title,
)
from kinblend.web.services import Owner, Services, ServicesDep

router = APIRouter(prefix="/api/v1", tags=["children"])
MAX_ORDERS = 24  # in one picture: what is kept of a client
_DONE: dict[int | str, dict[str, Any]] = {200: {"model": ChildrenAnswer, "description": "Done already"}}


@router.post("/previews", response_class=Response, responses=documented(404, 409, 500, 503) | picture("image/jpeg"))
async def preview(order: PreviewRequest, request: Request, services: ServicesDep, owner: Owner) -> Response:
    """One child, small and at once: a JPEG of 256 px, from the parents' latents."""
    father, mother = services.parent(owner, order.father), services.parent(owner, order.mother)
    services.engine_service.check(order)
    job = services.worker.submit(
        "preview", lambda job: services.engine_service.preview(father, mother, order), owner=owner
    )
    return Response(await services.result_of(job, request), media_type="image/jpeg")


@router.post("/children", status_code=202, responses=documented(404, 409, 503) | _DONE)
async def place(order: ChildrenRequest, response: Response, services: ServicesDep, owner: Owner) -> ChildrenAnswer:
    """Order children of two photographs that were looked at. The same order has the same id."""
    father, mother = services.parent(owner, order.father), services.parent(owner, order.mother)
    return _placed(services, services.submit(owner, order, father, mother), response)


@router.post(
    "/orders",
    status_code=202,
    responses=documented(409, 415, 503) | _DONE,
    openapi_extra=form_of("father", "mother", order="DirectRequest"),
)
async def place_with_photos(
    request: Request, response: Response, services: ServicesDep, owner: Owner
) -> ChildrenAnswer:
    """Order children of two photographs that come along: `father`, `mother` and, as JSON, `order`."""
    form = await read_form(request, services.limits, ("father", "mother"))
    text = form.get("order", b"{}")
    try:
        direct = DirectRequest.model_validate_json(text)
    except ValidationError as error:
        raise ProblemError(422, "invalid-request", f"order: {_explained(error, text)}") from error
    services.engine_service.check(direct, direct.children)
    people = []
    for role, face in (("father", direct.father_face), ("mother", direct.mother_face)):
        try:
            photo, _ = await services.add_photo(owner, form[role], request, face, direct.upscaler)
        except InputError as error:
            raise type(error)(f"the {role}'s photograph: {error}") from error
        if photo.parent is None:
            detail = f"The {role}'s photograph has {len(photo.faces)} faces; give {role}_face"
            raise ProblemError(422, "several-faces", detail)
        people.append(photo)
    father, mother = people
    chosen = direct.model_dump(exclude={"father_face", "mother_face", "upscaler"}, exclude_unset=True)
    order = ChildrenRequest(father=father.name, mother=mother.name, **chosen)
    return _placed(services, services.submit(owner, order, father, mother), response)


@router.get("/children/{order}", responses=documented(404))
async def show(order: Id, services: ServicesDep, owner: Owner) -> ChildrenAnswer:
    """How far an order has come, and the children once they are there."""
    return answer(services, services.order(owner, order, Family))


@router.delete("/children/{order}", status_code=204, responses=documented(404))
async def forget(order: Id, services: ServicesDep, owner: Owner) -> None:
    """Forget children now, or give up an order that is not done."""
    services.order(owner, order, Family)
    services.orders.take(owner, order)


@router.get(
    "/children/{order}/{number}/picture.jpg",
    response_class=Response,
    responses=documented(404, 409) | picture("image/jpeg"),
)
async def show_picture(order: Id, number: int, services: ServicesDep, owner: Owner) -> Response:
    """A child's picture for screens."""
    return Response(services.children(owner, order, number).pictures[number - 1], media_type="image/jpeg")


@router.get(
    "/children/{order}/{number}/picture.png",
    response_class=Response,
    responses=documented(404, 409) | picture("image/png"),
)
async def download_picture(order: Id, number: int, services: ServicesDep, owner: Owner) -> Response:
    """A child's picture without loss; its metadata says that it is synthetic."""
    result = services.children(owner, order, number).result
    assert result is not None
    data = await run_in_threadpool(pictures.png, result.children[number - 1].image)
    return file_of(data, "image/png", "child.png" if number == 1 else f"child-{number}.png")


@router.get("/children/{order}/{number}/weights", responses=documented(404, 409))
async def show_weights(order: Id, number: int, services: ServicesDep, owner: Owner) -> list[LayerWeights]:
    """How a child was made: the father's share in every dimension, layer by layer."""
    return pictures.weights(services.engine_service, services.children(owner, order, number), number)


@router.get(
    "/children/{order}/{number}/morph.jpg",
    response_class=Response,
    responses=documented(404, 409, 500, 503) | picture("image/jpeg"),
)
async def show_morph(order: Id, number: int, request: Request, services: ServicesDep, owner: Owner) -> Response:
    """Father → child → mother: 13 pictures side by side in one JPEG."""
    return Response(await _strip(order, number, request, services, owner), media_type="image/jpeg")


@router.get(
    "/children/{order}/{number}/morph.gif",
    response_class=Response,
    responses=documented(404, 409, 500, 503) | picture("image/gif"),
)
async def download_morph(order: Id, number: int, request: Request, services: ServicesDep, owner: Owner) -> Response:
    """Father → child → mother and back, as an animation."""
    strip = await _strip(order, number, request, services, owner)
    return file_of(await run_in_threadpool(pictures.animation, strip), "image/gif", "morph.gif")


async def _strip(order: str, number: int, request: Request, services: Services, owner: str) -> bytes:
    """A child's strip, from the father over the child to the mother."""
    family = services.children(owner, order, number)
    return await _made_once("morph", pictures.morph, family.morphs, family, number, request, services, owner)


@router.get(
    "/children/{order}/{number}/ages.jpg",
    response_class=Response,
    responses=documented(404, 409, 500, 503) | picture("image/jpeg"),
)
async def show_ages(order: Id, number: int, request: Request, services: ServicesDep, owner: Owner) -> Response:
    """The child at 4, 12, 20, 40 and 60 years: 5 pictures side by side in one JPEG."""
    return Response(await _ages(order, number, request, services, owner), media_type="image/jpeg")


@router.get(
    "/children/{order}/{number}/ages.gif",
    response_class=Response,
    responses=documented(404, 409, 500, 503) | picture("image/gif"),
)
async def download_ages(order: Id, number: int, request: Request, services: ServicesDep, owner: Owner) -> Response:
    """The child from 4 to 60 years and back, as an animation."""
    strip = await _ages(order, number, request, services, owner)
    return file_of(await run_in_threadpool(pictures.ages_animation, strip), "image/gif", "ages.gif")


async def _ages(order: str, number: int, request: Request, services: Services, owner: str) -> bytes:
    """A child's strip of ages."""
    family = services.children(owner, order, number)
    if not services.engine_service.knows_ages:
        raise ProblemError(409, "no-ages", "This backbone has no directions for age in years; serve another one")
    return await _made_once("ages", pictures.ages, family.ages, family, number, request, services, owner)


async def _made_once(
    what: str,
    make: Callable[[EngineService, Family, int, Callable[[], None]], bytes],
    kept: dict[int, bytes],
    family: Family,
    number: int,
    request: Request,
    services: Services,
    owner: str,
) -> bytes:
    """A strip of a child's pictures, by `make` in the worker's thread; kept in the family from then on."""
    if number not in kept:
        job = services.worker.submit(
            what, lambda job: make(services.engine_service, family, number, job.check), owner=owner
        )
        kept[number] = await services.result_of(job, request)
    return kept[number]


@router.get(
    "/children/{order}/sheet.png", response_class=Response, responses=documented(404, 409) | picture("image/png")
)
async def download_sheet(order: Id, services: ServicesDep, owner: Owner) -> Response:
    """Parents and children in one picture."""
    result = services.children(owner, order).result
    assert result is not None
    return file_of(await run_in_threadpool(pictures.sheet, [result]), "image/png", "sheet.png")


@router.get("/sheet.png", response_class=Response, responses=documented(404, 409) | picture("image/png"))
async def download_family(
    services: ServicesDep,
    owner: Owner,
    order: Annotated[list[Id], Query(min_length=1, max_length=MAX_ORDERS, description="in the order shown")],
) -> Response:
    """Parents and the children of several orders in one picture. The orders have the same parents."""
    results = _of_one_couple(services, owner, order)
    return file_of(await run_in_threadpool(pictures.sheet, results), "image/png", "family.png")


@router.get("/card.pdf", response_class=Response, responses=documented(404, 409) | picture("application/pdf"))
async def download_card(
    services: ServicesDep,
    owner: Owner,
    order: Annotated[list[Id], Query(min_length=1, max_length=MAX_ORDERS, description="in the order shown")],
    name: Annotated[list[Name], Query(max_length=MAX_ORDERS, description="of each child; left out: their ages")] = [],  # noqa: B006
    title: Annotated[Title, Query(description="a line above")] = "",
) -> Response:
    """Parents and up to 12 children of one couple on a card of 10 × 15 cm, to print."""
    results = _of_one_couple(services, owner, order)
    children = sum(len(result.children) for result in results)
    if name and len(name) != children:
        raise ProblemError(422, "names", f"There are {children} children, but {len(name)} names; name each or none")
    return file_of(await run_in_threadpool(pictures.card, results, name, title), "application/pdf", "card.pdf")


def _of_one_couple(services: Services, owner: str, orders: Sequence[str]) -> list[Result]:
    families = [services.children(owner, name) for name in orders]
    if len({(family.order.father, family.order.mother) for family in families}) > 1:
        raise ProblemError(
            422, "several-couples", "These children have different parents; ask for those of one couple"
        )
    return [family.result for family in families if family.result is not None]


@router.get(
    "/children/{order}/bundle.zip",
    response_class=Response,
    responses=documented(404, 409) | picture("application/zip"),
)
async def download_bundle(order: Id, services: ServicesDep, owner: Owner) -> Response:
    """Pictures, latents with weight maps, the manifest and the sheet, zipped."""
    result = services.children(owner, order).result
    assert result is not None
    return file_of(await run_in_threadpool(pictures.bundle, result), "application/zip", "kinblend.zip")


def _explained(error: ValidationError, text: bytes) -> str:
    try:
        sent = json.loads(text)
    except ValueError:
        sent = None
    return explain(error.errors()[0], sent)


def answer(services: Services, family: Family) -> ChildrenAnswer:
    """What a client is told of its order."""
    here, done = f"/api/v1/children/{family.name}", family.result is not None
    return ChildrenAnswer.model_validate(
        {
            **services.progress_of(family, here),
            "children": _children(family, here, services.engine_service.knows_ages),
            "sheet": f"{here}/sheet.png" if done else None,
            "bundle": f"{here}/bundle.zip" if done else None,
            "warnings": _warnings(family),
        }
    )


def _warnings(family: Family) -> list[str]:
    found = family.result.manifest.get("warnings", ()) if family.result else ()
    return [without_paths(text) for text in found]


def _children(family: Family, here: str, ages: bool) -> list[ChildAnswer]:
    if family.result is None:
        return []
    manifest = family.result.manifest
    children = family.result.children
    seen = manifest["seen"] or [None] * len(children)
    found = zip(children, manifest["asked"], seen, manifest["similarity"], strict=True)
    return [
        ChildAnswer(
            number=number,
            seed=child.seed,
            age=asked["age"],
            sex=asked["sex"],
            seen=look and AnalysisAnswer(**look),
            similarity=similar,
            resemblance=sentences(similar),
            picture=f"{here}/{number}/picture.jpg",
            png=f"{here}/{number}/picture.png",
            weights=f"{here}/{number}/weights" if child.weight_map else None,
            morph=f"{here}/{number}/morph.jpg",
            animation=f"{here}/{number}/morph.gif",
            ages=f"{here}/{number}/ages.jpg" if ages else None,
            growing=f"{here}/{number}/ages.gif" if ages else None,
        )
        for number, (child, asked, look, similar) in enumerate(found, start=1)
    ]


def _placed(services: Services, family: Family, response: Response) -> ChildrenAnswer:
    response.headers["Location"] = f"/api/v1/children/{family.name}"
    response.status_code = 200 if family.status == "done" else 202
    return answer(services, family)


def file_of(data: bytes, kind: str, name: str) -> Response:
    """A file to keep. kind: its media type."""
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
