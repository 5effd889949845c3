"""What a tree is to have, checked before any work: a request for each predicted person, and names of files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import KinblendError, UsageError
from kinblend.faces.upscale import check_upscaler
from kinblend.family_tree.people import FamilyTree, Person
from kinblend.pipeline.age_and_sex import DEFAULT_AGE, DEFAULT_SEX, ChildSpec
from kinblend.pipeline.manifest import describe_plugin, fingerprint, versions
from kinblend.pipeline.request import MAX_SEED, ChildRequest, edit_warnings, validate_edits
from kinblend.storage.latents import is_latent, load_latent

if TYPE_CHECKING:
    from kinblend.interfaces import Blender, Editor
    from kinblend.pipeline.engine import Engine
    from kinblend.pipeline.result import Parent

TREE, MANIFEST, PARENTS = "tree.png", "tree.json", "parents"
OF_THE_FILE = ("age", "sex", "edits", "by_default", "children", "father_face", "mother_face")
_REFUSED = re.compile(r'[\x00-\x1f<>:"/\\|?*]')  # by file systems, in names
LONGEST = 60  # letters of a file's name


@dataclass(frozen=True)
class Prediction:
    """One person to be made. key: the SHA-256 of all that the pictures depend on. spec: what is asked of them as they
    are shown."""

    person: Person
    request: ChildRequest
    blender: Blender
    editor: Editor | None
    spec: ChildSpec
    key: str

    @property
    def varies(self) -> bool:
        """Whether another seed makes another face."""
        return self.blender.stochastic or bool(self.request.siblings or self.request.mutation)

    @property
    def as_parent(self) -> ChildSpec:
        """What is asked of this person as a parent: to be as old as the parents."""
        edits = {name: edit for name, edit in self.spec.edits.items() if name != "age"}
        return replace(self.spec, age=None, edits=edits)

    @property
    def shown_as_parent(self) -> bool:
        """Whether the person is shown as old as a parent."""
        return self.spec.all_edits == self.as_parent.all_edits


@dataclass(frozen=True)
class Plan:
    """stems: each person's name as files have it. predictions: by name, parents before their children. keys: of
    everybody."""

    stems: Mapping[str, str]
    predictions: Mapping[str, Prediction]
    keys: Mapping[str, str]


def plan_tree(
    engine: Engine, tree: FamilyTree, request: ChildRequest | None = None, known: Mapping[str, Parent] | None = None
) -> Plan:
    """The plan of a tree, checked. request: as `predict_tree` takes it. known: photographed people who are encoded
    already, by name.

    Raises `UsageError` and `OptionError`, which name the person."""
    asked = request or ChildRequest()
    if given := sorted(set(OF_THE_FILE) & asked.model_fields_set):
        raise UsageError(f"{given[0]} is asked for in the tree, for each person")
    check_upscaler(asked.upscaler)
    _check_latents(engine, tree)
    base = _describe_engine(engine, asked, any(not is_latent(path) for path in tree.photos.values()))
    keys: dict[str, str] = {}
    predictions: dict[str, Prediction] = {}
    for name in tree.order:
        person = tree.people[name]
        if not person.predicted:
            source = dict(known[name].source) if known and name in known else fingerprint(tree.photos[name])
            keys[name] = _sha256({**base, "source": source, "face": person.face, "upscaler": asked.upscaler})
            continue
        try:
            predictions[name] = prediction = _predict(engine, tree, person, asked, base, keys)
        except KinblendError as error:
            raise type(error)(f"{name}: {error}") from error
        keys[name] = prediction.key
    return Plan(file_stems(list(tree.people)), predictions, keys)


def _check_latents(engine: Engine, tree: FamilyTree) -> None:
    """Raise `LatentError` for latents of another space."""
    for name, path in tree.photos.items():
        try:
            if is_latent(path):
                load_latent(path, engine.backbone.space)
        except KinblendError as error:
            raise type(error)(f"{name}: {error}") from error


def request_of(tree: FamilyTree, person: Person, asked: ChildRequest) -> ChildRequest:
    """The request for a predicted person. Raises `UsageError`.

    asked: what goes for all: its strategy, `siblings` and `mutation` take the place of the tree's, not of a person's
    own; its seed is added to the number among brothers and sisters.
    """
    common = asked.blender or tree.blender
    options = dict(tree.blender_options) if common == tree.blender else {}
    options |= asked.blender_options
    if person.blender not in (None, common):
        options = {}  # which are of another strategy
    by_default = [] if person.age is not None else ["age"]
    sex = tree.sex(person.name)
    if person.sex is None:
        by_default.append("sex")
    seed = person.seed if person.seed is not None else asked.seed + tree.birth_number(person.name)
    own = asked.model_dump(exclude_unset=True)
    known = {
        "blender": person.blender or common,
        "blender_options": options | person.blender_options,
        "age": _age(tree, person),
        "sex": sex or DEFAULT_SEX,
        "by_default": tuple(by_default),
        "siblings": _first(person.siblings, own.get("siblings"), tree.siblings),
        "mutation": _first(person.mutation, own.get("mutation"), tree.mutation),
        "edits": person.edits,
        "seed": min(seed, MAX_SEED - 1),
    }
    fields = own | known
    return ChildRequest.of({name: value for name, value in fields.items() if value not in (None, {})})


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _age(tree: FamilyTree, person: Person) -> float | None:
    """As the file says; else eight years, and of who has children, as old as the parents."""
    if person.age is None and person.name not in tree.parents:
        return DEFAULT_AGE
    return person.age


def _predict(
    engine: Engine,
    tree: FamilyTree,
    person: Person,
    asked: ChildRequest,
    base: Mapping[str, Any],
    keys: Mapping[str, str],
) -> Prediction:
    request = request_of(tree, person, asked)
    wanted = request.age_and_sex
    blender = engine.blender(request.blender, request.blender_options)
    needed = bool(request.edits or wanted.named) or request.neutral
    editor = engine.editor(request.editor, request.editor_options) if needed else None
    edits = validate_edits(editor, request.edits) if editor else {}
    engine.check_variation(request.siblings, request.mutation)
    spec = engine.child_spec(wanted, editor, edits, request.seed)
    key = {
        **base,
        "blender": describe_plugin(blender),
        "editor": describe_plugin(editor) if editor else None,
        "asked": spec.record,
        "edits": {name: str(edit) for name, edit in spec.all_edits.items()},
        "seed": request.seed,
        "siblings": request.siblings,
        "mutation": request.mutation,
        "neutral": request.neutral,
        "judge": request.judge,
        "is a parent": person.name in tree.parents,
        "parents": [keys[str(person.father)], keys[str(person.mother)]],
    }
    return Prediction(person, request, blender, editor, spec, _sha256(key))


def _describe_engine(engine: Engine, asked: ChildRequest, photographs: bool) -> dict[str, Any]:
    """What all pictures depend on. photographs: whether there are any; without an encoder that is refused."""
    backbone = engine.backbone
    return {
        "versions": versions(),
        "files": {name: file["sha256"] for name, file in backbone.pack.description["files"].items()},
        "encoder": describe_plugin(backbone.encoder) if backbone.has_encoder or photographs else None,
        "projector": describe_plugin(backbone.projector, engine.projector_options(asked.projector_options)),
        "precision": str(engine.pool.precision),
    }


def same_faces(tree: FamilyTree, plan: Plan) -> list[str]:
    """A line for brothers and sisters whose strategy does not look at the seed."""
    found = []
    for couple in tree.couples:
        alike: dict[str, list[str]] = {}
        for child in couple.children:
            prediction = plan.predictions.get(child)
            if prediction and not prediction.varies:
                alike.setdefault(prediction.blender.title, []).append(child)
        found += [
            f"{' and '.join(names)} have one face, but for age and sex: {title} makes the same child of every seed"
            for title, names in alike.items()
            if len(names) > 1
        ]
    return found


def beyond_fitted(plan: Plan) -> list[str]:
    """Ages and edits beyond what the editor was fitted for, a line each."""
    return [
        f"{name}: {line}"
        for name, prediction in plan.predictions.items()
        if prediction.editor
        for line in edit_warnings(prediction.editor, prediction.spec.all_edits)
    ]


def file_stems(names: list[str]) -> dict[str, str]:
    """A file's name for each person, without a suffix: the person's, as far as file systems take it; each once, also
    where upper and lower case are one."""
    found: dict[str, str] = {}
    taken = {Path(TREE).stem, PARENTS}
    for name in names:
        stem = _REFUSED.sub("-", name).strip(" .")[:LONGEST].rstrip(" .") or "person"
        stems = (stem, *(f"{stem}-{number}" for number in range(2, len(names) + 3)))
        found[name] = next(one for one in stems if one.casefold() not in taken)
        taken.add(found[name].casefold())
    return found


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
