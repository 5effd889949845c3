"""The engine: photographs → aligned faces → latents → blend → edits → picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kinblend.backbone import Backbone, load_backbone, make_plugin
from kinblend.cancellation import check_cancelled
from kinblend.device import DevicePool
from kinblend.errors import LatentError, PluginError, blame
from kinblend.identity import similarity
from kinblend.interfaces import Blend, Blender, Editor, network_of
from kinblend.pipeline.age_and_sex import Asked, ChildRequest, SexChoice
from kinblend.pipeline.judge import JUDGE, look
from kinblend.pipeline.manifest import describe_run, finish
from kinblend.pipeline.parents import People
from kinblend.pipeline.request import Order, checked_edits, opened, seeds_from, strengths_for
from kinblend.pipeline.result import Child, Parent, Result
from kinblend.pipeline.stages import OnStage, Stages
from kinblend.plugins import load_plugins
from kinblend.types import Latent, WeightMap

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.pipeline.request import Edit, Picture

BLENDER, EDITOR = "average", "interfacegan"


class Engine:
    """Predicts children of two people.

    backbone: a pack's name, or the path of a pack's folder; None: that of the settings, else the installed pack that
        plugins prefer.
    device, precision, memory_budget: as `DevicePool` takes them.
    encoder_options, projector_options: of the two plugins that the pack names.

    Raises `ModelError` where the backbone is missing or damaged, and `UsageError` for options that won't do.
    """

    def __init__(
        self,
        backbone: str | Path | None = None,
        device: str = "auto",
        precision: str | Mapping[str, str] = "auto",
        memory_budget: str | float | None = None,
        *,
        encoder_options: Mapping[str, Any] | None = None,
        projector_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.pool = DevicePool(device, memory_budget, precision)
        self.backbone: Backbone = load_backbone(
            backbone, self.pool, encoder_options=encoder_options, projector_options=projector_options
        )
        self._people = People(self.backbone)

    def run(
        self,
        father: Picture,
        mother: Picture,
        blender: str = BLENDER,
        options: Mapping[str, Any] | None = None,
        edits: Mapping[str, float | str] | None = None,
        children: int = 1,
        seed: int = 0,
        *,
        age: float | None = None,
        sex: SexChoice | None = None,
        by_default: Collection[str] = (),
        neutral: bool = True,
        judge: bool = False,
        father_face: int | None = None,
        mother_face: int | None = None,
        editor: str = EDITOR,
        editor_options: Mapping[str, Any] | None = None,
        reconstruct: bool = False,
        on_stage: OnStage | None = None,
    ) -> Result:
        """Children of two photographs.

        father, mother: paths, PIL pictures or uint8 arrays with one face each, or several and its number, counted
            from the left; or people that `parent` knows already.
        blender, options: a strategy and its options. edits: attribute → strength (-2) or target ("8y", "female"),
            made by `editor` and its options.
        age, sex: the children's: 0 to 80 years; "girl", "boy" or, drawn from each child's seed, "any". None leaves
            them as they come of the blend. by_default: which of "age" and "sex" nobody asked for: an edit of the
            attribute beats these, and an editor without such targets leaves them out, as the manifest then says.
        neutral: calm the parents' expressions and turn their heads ahead before they
            are blended, as far as the editor knows how, and take away light from one side, as far as the projector
            does: a child does not inherit half a smile, nor half a shadow.
        judge: let an independent network say which age and sex it sees; its answer goes into the manifest. The first
            time takes about a second.
        children: how many; each has a seed of its own, seed, seed + 1, … A strategy without chance gives the same
            child every time.
        reconstruct: also render both parents from their own latents.
        on_stage: called with the name of each stage as it begins.

        Raises `InputError` for a picture or face that won't do and `UsageError` for wrong words.
        """
        request = ChildRequest(age, sex, frozenset(by_default))
        mover = self._mover(editor, editor_options, bool(edits or request.named) or neutral)
        seeds = seeds_from(seed, children)
        checked = checked_edits(mover, edits) if mover and edits else {}
        order = Order(
            (opened(father), opened(mother)),
            (father_face, mother_face),
            self.blender(blender, options),
            mover,
            checked,
            seeds,
            tuple(self.asked(request, mover, checked, seed) for seed in seeds),
            neutral,
            JUDGE if judge else None,
        )
        return self._carry_out(order, reconstruct, on_stage)

    def asked(
        self, request: ChildRequest, editor: Editor | None, edits: Mapping[str, Edit | str], seed: int
    ) -> Asked:
        """What is asked of the child with that seed, beside the edits. Raises `UsageError`."""
        checked = checked_edits(editor, edits) if editor else {}
        request.check(editor, checked)
        return request.for_child(editor, checked, seed)

    def _mover(self, name: str, options: Mapping[str, Any] | None, needed: bool) -> Editor | None:
        """The editor, where there is something for it to do or to refuse."""
        load_plugins()["editor"].get(name)
        return self.editor(name, options) if needed or options else None

    def _carry_out(self, order: Order, reconstruct: bool, on_stage: OnStage | None) -> Result:
        run = describe_run(self.backbone, order)
        stages = Stages(load_plugins(), run, on_stage)
        with self.pool:
            father, mother = self._meet(order, stages, [run["inputs"][who] for who in ("father", "mother")])
            born = self._bear(order, father.latent, mother.latent, stages)
            with stages("render"):
                born = self._shown(born, order.seeds[0])
                if reconstruct:
                    father, mother = self._reconstructed([father, mother], order.seeds[0])
            with stages("compare"):
                pictures = [child.image for child in born]
                likeness = similarity([father.crop, mother.crop], pictures)
                seen = look(order.judge, pictures)
        return Result(father, mother, born, finish(run, born, likeness, seen, stages.seconds, self.pool))

    def _meet(self, order: Order, stages: Stages, sources: Sequence[Mapping[str, str]]) -> list[Parent]:
        names = ("the father's picture", "the mother's picture")
        with stages("detect"):
            people = zip(order.pictures, order.faces, names, sources, strict=True)
            found = [self._people.meet(*who) for who in people]
        with stages("encode"):
            return self._people.encode_all(found)

    def _bear(self, order: Order, father: Latent, mother: Latent, stages: Stages) -> list[Child]:
        with stages("blend"):
            if order.neutral and order.editor:
                father, mother = (self.neutral(parent, order.editor) for parent in (father, mother))
            born = [self.blend(father, mother, order.blender, seed) for seed in order.seeds]
        with stages("edit"):
            pairs = zip(born, order.asked, strict=True)
            return [self._apply_edits(child, order.editor, asked.all_edits) for child, asked in pairs]

    def _apply_edits(self, child: Child, editor: Editor | None, edits: Mapping[str, Edit]) -> Child:
        if not (editor and edits):
            return child
        latent, clamped = self._edit(child.latent, editor, edits)
        return replace(child, latent=latent, clamped=max(child.clamped, clamped))

    def _shown(self, born: Sequence[Child], seed: int) -> list[Child]:
        pictures = self.backbone.render([child.latent for child in born], seed=seed)
        return [replace(child, image=picture) for child, picture in zip(born, pictures, strict=True)]

    def _reconstructed(self, parents: Sequence[Parent], seed: int) -> list[Parent]:
        pictures = self.backbone.render([parent.latent for parent in parents], seed=seed)
        return [replace(parent, reconstruction=shown) for parent, shown in zip(parents, pictures, strict=True)]

    def parent(self, picture: Picture, face: int | None = None) -> Parent:
        """One person: the face that is cut out of a photograph, and its latent. Raises `InputError`."""
        with self.pool:
            return self._people.encode(self._people.meet(opened(picture), face, "the picture"))

    def forget(self) -> None:
        """Drop the parents that are remembered so that another child of theirs is quick: faces and latents both."""
        self._people.forget()

    def blender(self, name: str = BLENDER, options: Mapping[str, Any] | None = None) -> Blender:
        """A strategy for this backbone. Raises `UsageError`."""
        return cast(Blender, make_plugin("blender", name, self.backbone.context, options))

    def editor(self, name: str = EDITOR, options: Mapping[str, Any] | None = None) -> Editor:
        """An editor for this backbone. Raises `UsageError`."""
        return cast(Editor, make_plugin("editor", name, self.backbone.context, options))

    def blend(self, father: Latent, mother: Latent, strategy: Blender, seed: int = 0) -> Child:
        """A child's latent, detail included, and how it came about; not yet rendered.

        Raises `LatentSpaceError` for latents of another backbone and `PluginError` where the strategy fails.
        """
        import torch

        check_cancelled()
        [seed], space, projector = seeds_from(seed, 1), self.backbone.space, self.backbone.projector
        for latent in (father, mother):
            space.require(latent.space)
        # Strategies get copies: one that writes into its inputs must not change the parents of the next child.
        with self.pool.lease(network_of(strategy), "blender"), blame(strategy.title):
            blend = strategy.blend(father.code.clone(), mother.code.clone(), seed)
        if not isinstance(blend, Blend):
            raise PluginError(f"{strategy.title} gave a {type(blend).__name__}, not a kinblend.Blend")
        with blame(strategy.title, LatentError):
            child, clamped = self._plausible(blend.code, torch.stack([father.code, mother.code]))
            weights = blend.weights and WeightMap(blend.weights.values.clone(), space)
            shares = weights or WeightMap(child.code.new_full(child.code.shape, blend.share), space)
        with blame(projector.title):
            detail = projector.blend_detail(father.copy(), mother.copy(), WeightMap(shares.values.clone(), space))
        return Child(_UNRENDERED, replace(child, detail=detail), weights, seed, clamped)

    def edit(self, latent: Latent, editor: Editor | None, edits: Mapping[str, Edit | str]) -> Latent:
        """The latent moved along the named attributes, its detail with it. No editor: the latent as it is.

        edits: attribute → strength (-2) or target ("8y", "female").
        Raises `UsageError` for an unknown attribute or a strength out of range, `PluginError` where the editor fails.
        """
        return latent if editor is None else self._edit(latent, editor, checked_edits(editor, edits))[0]

    def neutral(self, latent: Latent, editor: Editor) -> Latent:
        """The latent with a calm expression, the head facing ahead and light from both sides, as far as the editor
        and the projector know how."""
        projector = self.backbone.projector
        with blame(projector.title, LatentError):
            latent = replace(latent, code=projector.evenly_lit(latent.code[None].clone())[0].clone())
        with blame(editor.title):
            strengths = editor.neutral(latent.code.clone())
        return self._edit(latent, editor, strengths)[0] if strengths else latent

    def _edit(self, latent: Latent, editor: Editor, edits: Mapping[str, Edit]) -> tuple[Latent, float]:
        """The edited latent, and how far its code was brought back."""
        check_cancelled()
        self.backbone.space.require(latent.space)
        projector = self.backbone.projector
        with self.pool.lease(network_of(editor), "editor"), blame(editor.title, LatentError):
            strengths = strengths_for(editor, latent.code.clone(), edits)
            wished = editor.edit(latent.code[None].clone(), strengths)[0]
            moved, clamped = self._plausible(wished, latent.code[None])
        with blame(projector.title):
            return replace(moved, detail=projector.edit_detail(latent.copy(), moved.code.clone())), clamped

    def _plausible(self, code: Tensor, beside: Tensor) -> tuple[Latent, float]:
        """A code, checked and brought back to where faces are; and how far that moved it."""
        wished, projector = Latent(code, self.backbone.space).copy(), self.backbone.projector
        with blame(projector.title, LatentError):
            kept = replace(wished, code=projector.plausible(wished.code[None].clone(), beside.clone())[0]).copy()
        return kept, float((kept.code - wished.code).square().mean().sqrt())


_UNRENDERED = cast("Image", None)  # a child between blend and render
