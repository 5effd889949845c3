"""Routes for family trees."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from kinblend.family_tree import FamilyTree, outline_of, parse_tree
from kinblend.family_tree.layout import generations_of
from kinblend.web.api_children import file_of
from kinblend.web.api_photos import picture
from kinblend.web.paths import without_paths
from kinblend.web.problems import ProblemError, documented
from kinblend.web.records import Photo, TreeOrder
from kinblend.web.relatives import tree_bundle
from kinblend.web.schemas import Id, TreeAnswer, TreeFileAnswer, TreePersonAnswer, TreeRequest
from kinblend.web.services import Owner, Services, ServicesDep

router = APIRouter(prefix="/api/v1/trees", tags=["trees"])
_TEXT: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"text/plain": {"schema": {"type": "string", "minLength": 1}}}}
}


@router.post(
    "",
    status_code=202,
    responses=documented(404, 409, 503) | {200: {"model": TreeAnswer, "description": "Done already"}},
)
async def place(order: TreeRequest, response: Response, services: ServicesDep, owner: Owner) -> TreeAnswer:
    """Order a family tree: whoever has no photograph is predicted. The same order has the same id."""
    tree = outline_of(order.model_dump(exclude_unset=True), name="the tree")
    photos = {
        name: _photo(services, owner, tree, name) for name, person in tree.people.items() if not person.predicted
    }
    made = services.submit_tree(owner, tree, photos, order.model_dump_json())
    response.headers["Location"] = f"/api/v1/trees/{made.name}"
    response.status_code = 200 if made.status == "done" else 202
    return answer(services, made)


def _photo(services: Services, owner: str, tree: FamilyTree, name: str) -> Photo:
    try:
        return services.parent(owner, str(tree.people[name].photo))
    except ProblemError as error:
        raise ProblemError(error.status, error.kind, f"{name}: {error.detail}") from error


@router.post("/file", responses=documented(415), openapi_extra=_TEXT, response_model=TreeFileAnswer)
async def read(request: Request) -> Response:
    """Read the file of a family tree, TOML or JSON, sent as it is. Photographs are named in it, and sent apart."""
    data = await request.body()
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    file = "family.json" if start.startswith(b"{") else "family.toml"
    found = await run_in_threadpool(_read, data, file)
    return Response(found.model_dump_json(), media_type="application/json")


def _read(data: bytes, file: str) -> TreeFileAnswer:
    parsed = parse_tree(data, file)
    tree = outline_of(parsed.fields, name=file, lines=parsed.lines, warnings=parsed.warnings)
    return TreeFileAnswer(
        **dict(tree.defaults),
        person=[person.model_dump(exclude_unset=True) for person in tree.people.values()],
        warnings=list(tree.warnings),
    )


@router.get("/{order}", responses=documented(404))
async def show(order: Id, services: ServicesDep, owner: Owner) -> TreeAnswer:
    """How far an order has come, and the people once they are there."""
    return answer(services, services.order(owner, order, TreeOrder))


@router.delete("/{order}", status_code=204, responses=documented(404))
async def forget(order: Id, services: ServicesDep, owner: Owner) -> None:
    """Forget a tree now, or give up an order that is not done."""
    services.order(owner, order, TreeOrder)
    services.orders.take(owner, order)


@router.get("/{order}/tree.jpg", response_class=Response, responses=documented(404, 409) | picture("image/jpeg"))
async def show_drawing(order: Id, services: ServicesDep, owner: Owner) -> Response:
    """The drawn tree for screens."""
    return Response(_done(services, owner, order).small, media_type="image/jpeg")


@router.get("/{order}/tree.png", response_class=Response, responses=documented(404, 409) | picture("image/png"))
async def download_drawing(order: Id, services: ServicesDep, owner: Owner) -> Response:
    """The drawn tree without loss; its metadata says that it is synthetic."""
    return file_of(_done(services, owner, order).drawing, "image/png", "tree.png")


@router.get(
    "/{order}/bundle.zip", response_class=Response, responses=documented(404, 409) | picture("application/zip")
)
async def download_bundle(order: Id, services: ServicesDep, owner: Owner) -> Response:
    """The file that `kinblend tree` reads, the faces of the photographs, and everybody's pictures, zipped."""
    made = _done(services, owner, order)
    return file_of(await run_in_threadpool(tree_bundle, made), "application/zip", "family-tree.zip")


@router.get(
    "/{order}/people/{number}.jpg", response_class=Response, responses=documented(404, 409) | picture("image/jpeg")
)
async def show_person(order: Id, number: int, services: ServicesDep, owner: Owner) -> Response:
    """Somebody of a tree for screens: predicted, or cut out of the photograph."""
    tree = _done(services, owner, order)
    name = _name(tree, number)
    data = tree.made[name].small if name in tree.made else tree.photos[name].crop
    return Response(data, media_type="image/jpeg")


@router.get(
    "/{order}/people/{number}.png", response_class=Response, responses=documented(404, 409) | picture("image/png")
)
async def download_person(order: Id, number: int, services: ServicesDep, owner: Owner) -> Response:
    """A predicted person of a tree without loss."""
    tree = _done(services, owner, order)
    name = _name(tree, number)
    if name not in tree.made:
        raise ProblemError(404, "not-found", f"{name} is not predicted: there is a photograph")
    return file_of(tree.made[name].picture, "image/png", f"person-{number}.png")


def _done(services: Services, owner: str, name: str) -> TreeOrder:
    order = services.order(owner, name, TreeOrder)
    if not order.made:
        raise ProblemError(409, "not-done", "The people are not there yet; see the order's status")
    return order


def _name(order: TreeOrder, number: int) -> str:
    names = list(order.tree.people)
    if not 1 <= number <= len(names):
        raise ProblemError(404, "not-found", f"There is no person number {number}")
    return names[number - 1]


def answer(services: Services, order: TreeOrder) -> TreeAnswer:
    """What a client is told of its order."""
    here, done = f"/api/v1/trees/{order.name}", bool(order.made)
    return TreeAnswer.model_validate(
        {
            **services.progress_of(order, here),
            "warnings": [without_paths(text) for text in order.warnings],
            "done": len(order.made) or order.done,
            "total": len(order.made) or order.total,
            "people": _people(order, here),
            "picture": f"{here}/tree.jpg" if done else None,
            "png": f"{here}/tree.png" if done else None,
            "bundle": f"{here}/bundle.zip" if done else None,
        }
    )


def _people(order: TreeOrder, here: str) -> list[TreePersonAnswer]:
    tree, done = order.tree, bool(order.made)
    generations = generations_of(list(tree.people), tree.couples)
    found = []
    for number, (name, person) in enumerate(tree.people.items(), start=1):
        made = order.made.get(name)
        found.append(
            TreePersonAnswer(
                name=name,
                generation=generations[name],
                father=person.father,
                mother=person.mother,
                predicted=person.predicted,
                age=made.age if made else person.age,
                sex=made.sex if made else tree.sex(name),
                picture=f"{here}/people/{number}.jpg" if done else None,
                png=f"{here}/people/{number}.png" if made else None,
            )
        )
    return found
