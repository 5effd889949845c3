"""Everyone of a tree who has no photograph is predicted, parents before their children; what is finished is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.cancellation import check_cancelled
from kinblend.errors import InputError
from kinblend.faces import CutFace, cut_face
from kinblend.family_tree.draw import Portrait, check_names, check_size, draw_tree
from kinblend.family_tree.layout import generations_of
from kinblend.family_tree.making import SIDE, Progress, make_person, parents_of, warnings_of
from kinblend.family_tree.people import FamilyTree
from kinblend.family_tree.plan import Plan, Prediction, plan_tree
from kinblend.family_tree.store import Store
from kinblend.files import checked_path, file_sha256, write_errors
from kinblend.imaging import read_image
from kinblend.imaging.encode import write_picture
from kinblend.pipeline.manifest import fingerprint, versions
from kinblend.pipeline.request import ChildRequest
from kinblend.pipeline.result import Parent
from kinblend.storage.latents import is_latent

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.pipeline.engine import Engine

SCHEMA = 1


@dataclass(frozen=True)
class PredictedTree:
    """tree: what was predicted. picture: of the whole, RGB. made, kept: who was predicted now, and who was finished
    already. files: all of the tree, its picture first. record: what `tree.json` holds. warnings: what may not be as
    it was meant, a line each."""

    tree: FamilyTree
    picture: Image
    made: Sequence[str]
    kept: Sequence[str]
    files: Sequence[Path]
    record: Mapping[str, Any]
    warnings: Sequence[str]


def planned_files(
    engine: Engine, tree: FamilyTree, out: str | Path, request: ChildRequest | None = None
) -> list[Path]:
    """What `predict_tree` writes.

    Raises `UsageError` for what can't be made, `OutputError` for what may not be written.
    """
    plan = plan_tree(engine, tree, request)
    return _files(_store(engine, plan, out), tree, plan)


def predict_tree(
    engine: Engine,
    tree: FamilyTree,
    out: str | Path,
    request: ChildRequest | None = None,
    *,
    side: int = SIDE,
    font: Path | None = None,
    progress: Progress = lambda name, done, total: None,
) -> PredictedTree:
    """Predict everyone who has no photograph, and draw the tree.

    Parents that are predicted themselves are as old as their own parents for it, and shown at their own age.
    Everybody is encoded once. Whoever is finished in `out`, made of the same photographs by the same request and
    models, is kept: an interrupted tree goes on, and a finished one is not made again.

    out: the folder. For each predicted person NAME.png, NAME.safetensors and NAME.json, as `Result.save` writes them;
        `tree.png`, `tree.json`, and in `parents` the latents of all who have children.
    request: what goes for all: strategy, in the place of the tree's, editor, neutral, upscaler, judge; its seed is
        the first child's of every couple. Age, sex, edits and the number of children are the tree's.
    side: pixels of each picture in the tree. font: a file, in the place of the built-in font.
    progress: called with a name, how many steps are done, and of how many.
    Raises, before any work, `UsageError`, `OutputError` and `InputError`; a photograph that won't do is refused
    before any face is encoded.
    """
    check_names(list(tree.people), tree.title, font)
    check_size(list(tree.people), tree.couples, side)
    predicting = _Predicting(
        engine, tree, plan_tree(engine, tree, request), checked_path(out, "a folder"), request, progress
    )
    with write_errors(out):
        predicting.make()
        return predicting.finish(side, font)


def _store(engine: Engine, plan: Plan, out: str | Path) -> Store:
    return Store(Path(out), plan.stems, engine.backbone.space)


def _files(store: Store, tree: FamilyTree, plan: Plan) -> list[Path]:
    files = store.all(iter(plan.predictions), (name for name in tree.order if name in tree.parents))
    store.check(files)
    return files


class _Predicting:
    """One call of `predict_tree`."""

    def __init__(
        self,
        engine: Engine,
        tree: FamilyTree,
        plan: Plan,
        out: Path,
        request: ChildRequest | None,
        progress: Progress,
    ) -> None:
        self.engine, self.tree, self.plan, self.progress = engine, tree, plan, progress
        self.upscaler = request.upscaler if request else None
        self.store = _store(engine, plan, out)
        self.files = _files(self.store, tree, plan)
        found = {name: self.store.manifest(name, plan.keys[name]) for name in plan.predictions}
        self.manifests: dict[str, dict[str, Any]] = {name: one for name, one in found.items() if one is not None}
        self.kept = list(self.manifests)
        self.waiting = [name for name in tree.order if name in plan.predictions and name not in self.manifests]
        self.needed = {str(parent) for name in self.waiting for parent in parents_of(tree, name)}
        self._cut: dict[str, CutFace] = {}
        self._known: dict[str, Parent] = {}
        self._done = 0

    def _step(self, name: str) -> None:
        check_cancelled()
        self.progress(name, self._done, len(self.waiting) + len(self._photographed))
        self._done += 1

    @property
    def _photographed(self) -> list[str]:
        return [name for name in self.tree.order if name in self.needed and name in self.tree.photos]

    def make(self) -> None:
        """Predict all who are not finished."""
        for name in self._photographed:
            self.face(name)
        with self.engine.pool:
            for name in self._photographed:
                self._step(name)
                self._known[name] = self._encoded(name)
            for name in self.waiting:
                self._step(name)
                self._predict(self.plan.predictions[name])

    def face(self, name: str) -> CutFace | None:
        """The face of a photographed person, found once; None of one who is given as a latent."""
        path, face = self.tree.photos[name], self.tree.people[name].face
        if is_latent(path):
            if face is not None:
                raise InputError(f"{name}: {path} is a latent, which has one face; leave out face")
            return None
        if name not in self._cut:
            size = self.engine.backbone.encoder.crop_size
            self._cut[name] = cut_face(
                read_image(path), size, face=face, name=f"{name}: {path}", upscaler=self.upscaler
            )
        return self._cut[name]

    def _encoded(self, name: str) -> Parent:
        """A photographed parent; the latent is kept for the next call."""
        path, key, cut = self.tree.photos[name], self.plan.keys[name], self.face(name)
        if cut is None:
            return self.engine.parent(path)
        latent = self.store.latent(name, key)
        if latent is None:
            [latent] = self.engine.backbone.encode([cut.face])
            self.store.save_latent(name, key, latent)
        person = self.tree.people[name]
        face = cut.face
        source = fingerprint(path)
        return Parent(face.image, latent, face.landmarks, source=source, face=person.face, quality=cut.quality)

    def _parent(self, name: str) -> Parent:
        """Somebody as a parent: photographed, or predicted, as old as the own parents."""
        if name not in self._known:
            self._known[name] = self.engine.parent(self.store.parent(name))
        return self._known[name]

    def _predict(self, prediction: Prediction) -> None:
        """Make one person, and those who have children as parents, too."""
        name = prediction.person.name
        father, mother = (self._parent(parent) for parent in parents_of(self.tree, name))
        result, latent = make_person(self.engine, self.tree, prediction, father, mother)
        if latent is not None:
            self.store.save_latent(name, prediction.key, latent)
        self.store.save(name, prediction.key, result)
        self.manifests[name] = result.manifest

    def finish(self, side: int, font: Path | None) -> PredictedTree:
        """Draw the tree, unless the same is there already, and write what it is of."""
        record = self._record(side, font)
        before = dict(self.store.record())
        picture_file = self.store.tree[0]
        if {**before, "picture": None} == {**record, "picture": None} and before.get("picture") == _sha256(
            picture_file
        ):
            picture, record = read_image(picture_file), before
        else:
            people = {name: self._portrait(name) for name in self.tree.people}
            picture = draw_tree(people, self.tree.couples, title=self.tree.title, side=side, font=font)
            write_picture(picture_file, picture)
            record |= {"picture": _sha256(picture_file)}
            self.store.save_record(record)
        there = [path for path in self.files if path.is_file()]
        warnings = list(record["warnings"])
        return PredictedTree(self.tree, picture, tuple(self.waiting), tuple(self.kept), there, record, warnings)

    def _portrait(self, name: str) -> Portrait:
        person = self.tree.people[name]
        if person.predicted:
            return Portrait(self.store.picture(name), self.manifests[name]["asked"][0]["age"], predicted=True)
        cut = self.face(name)
        picture = self.engine.parent(self.tree.photos[name]).crop if cut is None else cut.face.image
        return Portrait(picture, person.age)

    def _record(self, side: int, font: Path | None) -> dict[str, Any]:
        generations = generations_of(list(self.tree.people), self.tree.couples)
        return {
            "schema": SCHEMA,
            "versions": versions(),
            "backbone": self.engine.backbone.name,
            "title": self.tree.title,
            "side": side,
            "font": file_sha256(font) if font else None,
            "people": [self._entry(name, generations[name]) for name in self.tree.people],
            "warnings": warnings_of(self.tree, self.plan, self.manifests),
        }

    def _entry(self, name: str, generation: int) -> dict[str, Any]:
        person, manifest = self.tree.people[name], self.manifests.get(name)
        entry = {
            "name": name,
            "generation": generation,
            "father": person.father,
            "mother": person.mother,
            "key": self.plan.keys[name],
            "predicted": person.predicted,
        }
        if manifest is None:
            return {
                **entry,
                "age": person.age,
                "sex": self.tree.sex(name),
                "source": fingerprint(self.tree.photos[name]),
            }
        asked = manifest["asked"][0]
        return {
            **entry,
            "age": asked["age"],
            "sex": asked["sex"],
            "blender": manifest["blender"]["name"],
            "seed": manifest["seeds"][0],
            "files": [path.name for path in self.store.files(name)],
        }


def _sha256(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError:
        return ""
