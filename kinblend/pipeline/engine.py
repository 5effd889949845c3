"""The engine: photographs → aligned faces → latents → blend → edits → picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kinblend.backbone import Backbone, load_backbone, make_plugin
from kinblend.device import DevicePool
from kinblend.device.pool import Precision
from kinblend.errors import UsageError
from kinblend.faces import align_with_landmarks, find_face
from kinblend.identity import similarity
from kinblend.imaging.decode import read_image
from kinblend.interfaces import Blender, Editor
from kinblend.pipeline.manifest import describe_run, fingerprint, finish
from kinblend.pipeline.result import Child, Parent, Result
from kinblend.pipeline.stages import OnStage, Stages
from kinblend.plugins import load_plugins
from kinblend.types import AlignedFace, Latent, WeightMap

if TYPE_CHECKING:
    from PIL.Image import Image

BLENDER, EDITOR = "average", "interfacegan"
REMEMBERED = 8  # parents kept, so that another child of the same people needs no second look at their photographs


class Engine:
    """Predicts children of two people.

    backbone: a pack's name, or the path of a pack's folder.
    device, precision, memory_budget: as `DevicePool` takes them.

    Raises `ModelError` where the backbone is missing or damaged.
    """

    def __init__(
        self,
        backbone: str | Path = "morphable",
        device: str = "auto",
        precision: Precision = "auto",
        memory_budget: str | int | None = None,
    ) -> None:
        self.pool = DevicePool(device, memory_budget, precision)
        self.backbone: Backbone = load_backbone(backbone, self.pool)
        self._parents: dict[str, Parent] = {}

    def run(
        self,
        father: str | Path | Image,
        mother: str | Path | Image,
        blender: str = BLENDER,
        options: Mapping[str, Any] | None = None,
        edits: Mapping[str, float] | None = None,
        children: int = 1,
        seed: int = 0,
        *,
        father_face: int | None = None,
        mother_face: int | None = None,
        editor: str = EDITOR,
        editor_options: Mapping[str, Any] | None = None,
        reconstruct: bool = False,
        on_stage: OnStage | None = None,
    ) -> Result:
        """Children of two photographs.

        father, mother: paths or RGB pictures with one face each, or several and its number, counted from the left.
        blender, options: a strategy and its options. edits: attribute → strength, made by `editor` and its options.
        children: how many; each has a seed of its own, seed, seed + 1, … A strategy without chance gives the same
            child every time.
        reconstruct: also render both parents from their own latents.
        on_stage: called with the name of each stage as it begins.

        Raises `InputError` for a picture or face that won't do and `UsageError` for wrong words.
        """
        if children < 1:
            raise UsageError(f"children must be at least 1, not {children}")
        edits = dict(edits or {})
        strategy = self.blender(blender, options)
        mover = self.editor(editor, editor_options) if edits else None
        run = describe_run(self.backbone, father, mother, strategy, mover, edits, children, seed)
        stages = Stages(load_plugins(), run, on_stage)
        with self.pool:
            with stages("detect"):
                found = [
                    self._look(father, father_face, "the father's picture"),
                    self._look(mother, mother_face, "the mother's picture"),
                ]
            with stages("encode"):
                parents = [self._encode(face, key) for face, key in found]
            with stages("blend"):
                latents = [parent.latent for parent in parents]
                born = [self.blend(latents[0], latents[1], strategy, seed + index) for index in range(children)]
            with stages("edit"):
                born = [replace(child, latent=self.edit(child.latent, mover, edits)) for child in born]
            with stages("render"):
                pictures = self.backbone.render([child.latent for child in born], seed=seed)
                if reconstruct:
                    shown = self.backbone.render(latents, seed=seed)
                    parents = [replace(p, reconstruction=s) for p, s in zip(parents, shown, strict=True)]
            with stages("compare"):
                likeness = similarity([parent.crop for parent in parents], pictures)
        born = [replace(child, image=picture) for child, picture in zip(born, pictures, strict=True)]
        return Result(parents[0], parents[1], born, finish(run, likeness, stages.seconds, self.pool))

    def parent(self, picture: str | Path | Image, face: int | None = None) -> Parent:
        """One person: the face that is cut out of a photograph, and its latent. Raises `InputError`."""
        with self.pool:
            return self._encode(*self._look(picture, face, "the picture"))

    def blender(self, name: str = BLENDER, options: Mapping[str, Any] | None = None) -> Blender:
        """A strategy for this backbone. Raises `UsageError`."""
        return cast(Blender, make_plugin("blender", name, self.backbone.context, dict(options or {})))

    def editor(self, name: str = EDITOR, options: Mapping[str, Any] | None = None) -> Editor:
        """An editor for this backbone. Raises `UsageError`."""
        return cast(Editor, make_plugin("editor", name, self.backbone.context, dict(options or {})))

    def blend(self, father: Latent, mother: Latent, strategy: Blender, seed: int = 0) -> Child:
        """A child's latent, detail included, and how it came about; not yet rendered.

        Raises `LatentSpaceError` for latents of another backbone.
        """
        import torch

        for latent in (father, mother):
            self.backbone.space.require(latent.space)
        with self.pool.lease(strategy.module, "blender"):
            blend = strategy.blend(father.code, mother.code, seed)
        shares = blend.weights or WeightMap(torch.full_like(blend.code, blend.share), self.backbone.space)
        detail = self.backbone.projector.blend_detail(father, mother, shares)
        return Child(_UNRENDERED, Latent(blend.code, self.backbone.space, detail), blend.weights, seed)

    def edit(self, latent: Latent, editor: Editor | None, edits: Mapping[str, float]) -> Latent:
        """The latent moved along the named attributes, its detail with it. No editor: the latent as it is."""
        if editor is None:
            return latent
        self.backbone.space.require(latent.space)
        with self.pool.lease(editor.module, "editor"):
            code = editor.edit(latent.code[None], edits)[0]
        return Latent(code, latent.space, self.backbone.projector.edit_detail(latent, edits))

    def _look(self, picture: str | Path | Image, number: int | None, name: str) -> tuple[AlignedFace, str]:
        """The aligned face of a picture, and what the parent it belongs to is remembered by."""
        key = f"{fingerprint(picture)} {number}"
        if key in self._parents:
            parent = self._parents[key]
            return AlignedFace(parent.crop, parent.landmarks), key
        if isinstance(picture, (str, Path)):
            name, image = str(picture), read_image(picture)
        else:
            image = picture.convert("RGB")
        found = find_face(image, face=number, name=name)
        return align_with_landmarks(image, found.landmarks, self.backbone.encoder.input_size), key

    def _encode(self, face: AlignedFace, key: str) -> Parent:
        if key not in self._parents:
            while len(self._parents) >= REMEMBERED:
                del self._parents[next(iter(self._parents))]
            self._parents[key] = Parent(face.image, self.backbone.encode([face])[0], face.landmarks)
        return self._parents[key]


_UNRENDERED = cast("Image", None)  # a child between blend and render
