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
from kinblend.imaging.decode import read_image
from kinblend.interfaces import Blender, Editor
from kinblend.pipeline.manifest import describe_run, finish
from kinblend.pipeline.result import Child, Parent, Result
from kinblend.pipeline.stages import OnStage, Stages
from kinblend.plugins import load_plugins
from kinblend.types import AlignedFace, Latent, WeightMap

if TYPE_CHECKING:
    from PIL.Image import Image

EDITOR = "interfacegan"


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

    def run(
        self,
        father: str | Path | Image,
        mother: str | Path | Image,
        blender: str = "average",
        options: Mapping[str, Any] | None = None,
        edits: Mapping[str, float] | None = None,
        children: int = 1,
        seed: int = 0,
        *,
        father_face: int | None = None,
        mother_face: int | None = None,
        on_stage: OnStage | None = None,
    ) -> Result:
        """Children of two photographs.

        father, mother: paths or RGB pictures with one face each, or several and its number, counted from the left.
        blender, options: a strategy and its options. edits: attribute → strength.
        children: how many; each has a seed of its own, seed, seed + 1, … A strategy without chance gives the same
            child every time.
        on_stage: called with the name of each stage as it begins.

        Raises `InputError` for a picture or face that won't do and `UsageError` for wrong words.
        """
        if children < 1:
            raise UsageError(f"children must be at least 1, not {children}")
        strategy = cast(Blender, make_plugin("blender", blender, self.backbone.context, dict(options or {})))
        editor = self._editor(edits or {})
        run = describe_run(self.backbone, father, mother, blender, strategy.options, edits or {}, children, seed)
        stages = Stages(load_plugins(), run, on_stage)
        with self.pool:
            with stages("detect"):
                faces = [
                    self._face(father, father_face, "the father's picture"),
                    self._face(mother, mother_face, "the mother's picture"),
                ]
            with stages("encode"):
                latents = self.backbone.encode(faces)
            with stages("blend"):
                blends = [self._blend(strategy, latents[0], latents[1], seed + index) for index in range(children)]
            with stages("edit"):
                edited = [self._edit(editor, child, edits or {}) for child in blends]
            with stages("render"):
                pictures = self.backbone.render([child.latent for child in edited], seed=seed)
        parents = [Parent(face.image, latent) for face, latent in zip(faces, latents, strict=True)]
        born = [replace(child, image=picture) for child, picture in zip(edited, pictures, strict=True)]
        return Result(parents[0], parents[1], born, finish(run, stages.seconds, self.pool))

    def _face(self, picture: str | Path | Image, number: int | None, name: str) -> AlignedFace:
        if isinstance(picture, (str, Path)):
            name, image = str(picture), read_image(picture)
        else:
            image = picture.convert("RGB")
        found = find_face(image, face=number, name=name)
        return align_with_landmarks(image, found.landmarks, self.backbone.encoder.input_size)

    def _blend(self, strategy: Blender, father: Latent, mother: Latent, seed: int) -> Child:
        import torch

        blend = strategy.blend(father.code, mother.code, seed)
        shares = blend.weights or WeightMap(torch.full_like(blend.code, blend.share), self.backbone.space)
        detail = self.backbone.projector.blend_detail(father, mother, shares)
        return Child(_UNRENDERED, Latent(blend.code, self.backbone.space, detail), blend.weights, seed)

    def _editor(self, edits: Mapping[str, float]) -> Editor | None:
        if not edits:
            return None
        return cast(Editor, make_plugin("editor", EDITOR, self.backbone.context))

    def _edit(self, editor: Editor | None, child: Child, edits: Mapping[str, float]) -> Child:
        if editor is None:
            return child
        code = editor.edit(child.latent.code[None], edits)[0]
        detail = self.backbone.projector.edit_detail(child.latent, edits)
        return replace(child, latent=Latent(code, child.latent.space, detail))


_UNRENDERED = cast("Image", None)  # a child between blend and render; never leaves the engine
