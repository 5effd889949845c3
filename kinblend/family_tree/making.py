"""One person of a tree, made of two parents; and a whole tree in memory, of people who are encoded already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinblend.cancellation import check_cancelled
from kinblend.errors import UsageError
from kinblend.family_tree.draw import Portrait, check_names, check_size, draw_tree
from kinblend.family_tree.people import FamilyTree
from kinblend.family_tree.plan import Plan, Prediction, beyond_fitted, plan_tree, same_faces
from kinblend.pipeline.request import ChildRequest
from kinblend.pipeline.result import Parent, Result

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.pipeline.engine import Engine
    from kinblend.types import Latent

SIDE = 240  # pixels of each picture of the tree

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PeopleMade:
    """A tree that was predicted in memory.

    tree: what was predicted. picture: of the whole, RGB. results: of each predicted person, parents before their
    children. warnings: what may not be as it was meant, a line each.
    """

    tree: FamilyTree
    picture: Image
    results: Mapping[str, Result]
    warnings: Sequence[str]


def predict_people(
    engine: Engine,
    tree: FamilyTree,
    known: Mapping[str, Parent],
    request: ChildRequest | None = None,
    *,
    side: int = SIDE,
    progress: Progress = lambda name, done, total: None,
) -> PeopleMade:
    """Predict everyone who has no photograph, and draw the tree; nothing is written to a disk.

    tree: of `outline_of`. known: everybody with a photograph, by name, as `Engine.parent` found them. request, side,
        progress: as `predict_tree` takes them; photographs are no steps, for they are encoded.
    Raises `UsageError` and `OptionError` before any work. The pictures are those of `predict_tree`.
    """
    check_names(list(tree.people), tree.title)
    check_size(list(tree.people), tree.couples, side)
    missing = [name for name, person in tree.people.items() if not person.predicted and name not in known]
    if missing:
        raise UsageError(f"{missing[0]} has a photo, and is not among those who are known")
    plan, parents, results = plan_tree(engine, tree, request, known), dict(known), dict[str, Result]()
    with engine.pool:
        for done, (name, prediction) in enumerate(plan.predictions.items()):
            check_cancelled()
            progress(name, done, len(plan.predictions))
            father, mother = (parents[parent] for parent in parents_of(tree, name))
            results[name], latent = make_person(engine, tree, prediction, father, mother)
            if latent is not None:
                parents[name] = engine.parent(latent)
    people = {name: _portrait(tree, name, known, results) for name in tree.people}
    picture = draw_tree(people, tree.couples, title=tree.title, side=side)
    manifests = {name: result.manifest for name, result in results.items()}
    return PeopleMade(tree, picture, results, warnings_of(tree, plan, manifests))


def _portrait(tree: FamilyTree, name: str, known: Mapping[str, Parent], results: Mapping[str, Result]) -> Portrait:
    if name in results:
        result = results[name]
        return Portrait(result.children[0].image, result.manifest["asked"][0]["age"], predicted=True)
    return Portrait(known[name].crop, tree.people[name].age)


def parents_of(tree: FamilyTree, name: str) -> tuple[str, str]:
    """The names of father and mother of somebody predicted."""
    person = tree.people[name]
    return str(person.father), str(person.mother)


def make_person(
    engine: Engine, tree: FamilyTree, prediction: Prediction, father: Parent, mother: Parent
) -> tuple[Result, Latent | None]:
    """A predicted person, and what children of this person are made of; None where there are none."""
    result = engine.run(father, mother, prediction.request)
    if prediction.person.name not in tree.parents:
        return result, None
    child = result.children[0].latent
    return result, child if prediction.shown_as_parent else _as_parent(engine, prediction, father, mother)


def _as_parent(engine: Engine, prediction: Prediction, father: Parent, mother: Parent) -> Latent:
    """A predicted person as old as the parents: what `Engine.run` makes where no age is asked for."""
    request, editor = prediction.request, prediction.editor
    his, hers = father.latent, mother.latent
    if request.neutral and editor:
        his, hers = engine.neutral(his, editor), engine.neutral(hers, editor)
    child = engine.blend(his, hers, prediction.blender, request.seed, request.projector_options)
    child = engine.vary(
        child,
        his,
        hers,
        siblings=request.siblings,
        mutation=request.mutation,
        editor=editor,
        neutral=request.neutral,
    )
    return engine.edit(child, editor, prediction.as_parent.all_edits)


def warnings_of(tree: FamilyTree, plan: Plan, manifests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is odd in the file, the requests and the photographs. manifests: of all who are predicted."""
    found = [*tree.warnings, *same_faces(tree, plan), *beyond_fitted(plan)]
    for name in plan.predictions:
        for line in _lines_of(tree, name, manifests[name]["warnings"]):
            if line.startswith(f"{name}: ") and any(line.removeprefix(f"{name}: ") in known for known in found):
                continue
            found.append(line)
    return list(dict.fromkeys(found))


def _lines_of(tree: FamilyTree, name: str, warnings: Sequence[str]) -> Iterator[str]:
    """A person's warnings, with names in the place of the roles."""
    whose = dict(zip(("father", "mother"), parents_of(tree, name), strict=True))
    for line in warnings:
        role = next((role for role in whose if line.startswith(f"the {role}'s picture: ")), None)
        yield f"{name}: {line}" if role is None else f"{whose[role]}: {line.partition(': ')[2]}"
