"""Other parents and family trees, made by the engine. All of it but the checks runs in the worker's thread."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from kinblend.errors import KinblendError, UsageError
from kinblend.family_tree import FamilyTree, predict_people
from kinblend.family_tree.draw import check_names, check_size
from kinblend.family_tree.making import SIDE
from kinblend.family_tree.plan import file_stems, request_of
from kinblend.imaging.encode import jpeg_bytes, png_bytes
from kinblend.pipeline import ChildRequest, Result
from kinblend.pipeline.partner import plan_partner, predict_partner
from kinblend.validation import explain
from kinblend.web.engine_service import PREVIEW, EngineService, at_most
from kinblend.web.records import PartnerOrder, PersonMade, TreeOrder
from kinblend.web.schemas import PartnerRequest, WebOptions

FILE = "family.json"  # of a tree's bundle


def check_partner(engine_service: EngineService, request: PartnerRequest) -> None:
    """Raise `UsageError` for what can't be made, before anyone waits for it."""
    if request.child == request.parent:
        raise UsageError("the child and the parent are one photograph; give one of each")
    plan_partner(engine_service.editor, request.age, request.sex, request.inverse)


def make_partner(engine_service: EngineService, order: PartnerOrder, begun: Callable[[], None]) -> dict[str, Any]:
    """The other parent's face, and as a JPEG for screens. begun: called first."""
    request, child, parent = order.request, order.child.parent, order.parent.parent
    assert child is not None and parent is not None
    begun()
    engine = engine_service.engine
    with engine.pool:
        made = predict_partner(
            engine,
            child,
            parent,
            engine_service.editor,
            age=request.age,
            sex=request.sex,
            inverse=request.inverse,
            seed=request.seed,
        )
    engine.pool.records.clear()
    return {"made": made, "picture": jpeg_bytes(made.picture)}


def check_tree(engine_service: EngineService, tree: FamilyTree) -> None:
    """Raise `UsageError` for what can't be made, or costs too much, before anyone waits for it."""
    most = engine_service.limits.people
    if len(tree.people) > most:
        raise UsageError(f"here a family tree has at most {most} people, not {len(tree.people)}; leave some out")
    check_names(list(tree.people), tree.title)
    check_size(list(tree.people), tree.couples, SIDE)
    predicted = [person for person in tree.people.values() if person.predicted]
    if not predicted:
        raise UsageError("everybody here has a photograph; add a child of two of them")
    asked = _request(engine_service, tree)
    for person in predicted:
        try:
            request = request_of(tree, person, asked)
            engine_service.check(_options(request), len(predicted))
        except KinblendError as error:
            raise type(error)(f"{person.name}: {error}") from error


def _request(engine_service: EngineService, tree: FamilyTree) -> ChildRequest:
    """What goes for all of a tree."""
    settings = engine_service.settings
    fields = {"editor": settings.editor, "blender": None if tree.blender else settings.blender}
    return ChildRequest.of({name: value for name, value in fields.items() if value is not None})


def _options(request: ChildRequest) -> WebOptions:
    """A request of a tree as one of the web app, whose bounds are tighter."""
    fields = {name: getattr(request, name) for name in WebOptions.model_fields if name not in request.by_default}
    try:
        return WebOptions.model_validate(fields)
    except ValidationError as error:
        where, _, why = explain(error)
        raise UsageError(f"{where}: {why}") from error


def make_tree(engine_service: EngineService, order: TreeOrder, tell: Callable[..., None]) -> dict[str, Any]:
    """Everybody who is predicted, and the drawing. tell: called with `stage`, `done` and `total`."""
    engine = engine_service.engine
    known = {name: photo.parent for name, photo in order.photos.items() if photo.parent is not None}
    made = predict_people(
        engine,
        order.tree,
        known,
        _request(engine_service, order.tree),
        progress=lambda name, done, total: tell(stage=name, done=done, total=total),
    )
    engine.pool.records.clear()
    return {
        "made": {name: _person(result) for name, result in made.results.items()},
        "small": jpeg_bytes(made.picture, quality=88),
        "drawing": png_bytes(made.picture),
        "warnings": made.warnings,
    }


def _person(result: Result) -> PersonMade:
    [child], [asked] = result.children, result.manifest["asked"]
    return PersonMade(
        asked["age"], asked["sex"], jpeg_bytes(at_most(child.image, 2 * PREVIEW)), png_bytes(child.image)
    )


def tree_bundle(order: TreeOrder) -> bytes:
    """A tree as `kinblend tree` reads it, zipped: the file, faces of the photographs, and what was made of them."""
    stems = file_stems(list(order.tree.people))
    names = {name: f"photos/{stems[name]}.jpg" for name in order.photos}
    files = {FILE: _tree_file(order.tree, names), "tree.png": order.drawing}
    files |= {names[name]: photo.crop for name, photo in order.photos.items()}
    files |= {f"{stems[name]}.png": person.picture for name, person in order.made.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # a fixed date keeps the same content the same bytes
    return packed.getvalue()


def _tree_file(tree: FamilyTree, photos: Mapping[str, str]) -> bytes:
    people = [
        {
            name: photos[person.name] if name == "photo" else value
            for name, value in person.model_dump().items()
            if value not in (None, {})
        }
        for person in tree.people.values()
    ]
    known = {name: value for name, value in tree.defaults if value not in (None, "", {})}
    return json.dumps({**known, "person": people}, indent=2, ensure_ascii=False).encode()
