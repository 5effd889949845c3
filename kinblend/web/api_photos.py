"""Routes for photographs: look, choose a face, forget."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from kinblend.web.multipart import read_form
from kinblend.web.paths import without_paths
from kinblend.web.problems import ProblemError, documented
from kinblend.web.records import Photo
from kinblend.web.schemas import FaceAnswer, FaceChoice, Id, PhotoAnswer, Upscaler
from kinblend.web.services import Owner, ServicesDep

router = APIRouter(prefix="/api/v1/photos", tags=["photos"])


def form_of(*files: str, order: str | None = None) -> dict[str, Any]:
    """A multipart form for the OpenAPI document: its files and, under `order`, JSON of that schema."""
    properties: dict[str, Any] = {name: {"type": "string", "format": "binary"} for name in files}
    if order is not None:
        properties["order"] = {"$ref": f"#/components/schemas/{order}"}
    schema = {"type": "object", "properties": properties, "required": list(files)}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


def picture(kind: str) -> dict[int | str, dict[str, Any]]:
    """A picture, for the OpenAPI document."""
    return {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}


@router.post(
    "",
    status_code=201,
    responses=documented(415, 503) | {200: {"model": PhotoAnswer, "description": "Known already"}},
    openapi_extra=form_of("photo"),
)
async def look(
    request: Request, response: Response, services: ServicesDep, owner: Owner, upscaler: Upscaler = None
) -> PhotoAnswer:
    """Look at a photograph: is it clear whose face is meant, and if not, which faces are there?

    upscaler: enlarges a face of less than 256 pixels.
    """
    form = await read_form(request, services.limits, ("photo",))
    photo, known = await services.add_photo(owner, form["photo"], request, upscaler=upscaler)
    response.headers["Location"] = f"/api/v1/photos/{photo.name}"
    response.status_code = 200 if known else 201
    return answer(photo)


@router.get("/{photo}", responses=documented(404))
async def show(photo: Id, services: ServicesDep, owner: Owner) -> PhotoAnswer:
    """What is known of a photograph."""
    return answer(services.photo(owner, photo))


@router.put("/{photo}/face", responses=documented(404, 409, 503))
async def choose(photo: Id, choice: FaceChoice, request: Request, services: ServicesDep, owner: Owner) -> PhotoAnswer:
    """Choose whose face is meant, where a photograph has several."""
    found = services.photo(owner, photo)
    return answer(await services.choose(owner, found, choice.face, request))


@router.get("/{photo}/crop.jpg", response_class=Response, responses=documented(404, 409) | picture("image/jpeg"))
async def crop(photo: Id, services: ServicesDep, owner: Owner) -> Response:
    """The face as it was cut out."""
    return Response(services.parent(owner, photo).crop, media_type="image/jpeg")


@router.get("/{photo}/faces/{number}.jpg", response_class=Response, responses=documented(404) | picture("image/jpeg"))
async def face(photo: Id, number: int, services: ServicesDep, owner: Owner) -> Response:
    """One of several faces."""
    faces = services.photo(owner, photo).faces
    if not 1 <= number <= len(faces):
        raise ProblemError(404, "not-found", f"There is no face number {number}")
    return Response(faces[number - 1].picture, media_type="image/jpeg")


@router.delete("/{photo}", status_code=204, responses=documented(404))
async def forget(photo: Id, services: ServicesDep, owner: Owner) -> None:
    """Forget a photograph now."""
    services.photo(owner, photo)
    services.photos.take(owner, photo)


def answer(photo: Photo) -> PhotoAnswer:
    """What a client is told of a photograph."""
    here = f"/api/v1/photos/{photo.name}"
    faces = [
        FaceAnswer(number=number, box=seen.box, picture=f"{here}/faces/{number}.jpg")
        for number, seen in enumerate(photo.faces, start=1)
    ]
    crop = f"{here}/crop.jpg" if photo.parent else None
    return PhotoAnswer(
        id=photo.name,
        ready=photo.parent is not None,
        face=photo.face,
        faces=faces,
        crop=crop,
        small=bool(photo.parent and photo.parent.quality and photo.parent.quality.is_small),
        warnings=[without_paths(text) for text in (photo.parent.warnings if photo.parent else ())],
    )
