"""The engine: photographs → aligned faces → latents → blend → edits → picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from kinblend.backbone import Backbone, load_backbone, make_plugin
from kinblend.cancellation import check_cancelled
from kinblend.device import DevicePool
from kinblend.errors import LatentError, PluginError, UnsupportedError, UsageError, wrap_plugin_errors
from kinblend.faces.upscale import check_upscaler
from kinblend.identity import face_cosines
from kinblend.interfaces import (
    AgesDetail,
    Blend,
    Blender,
    BlendsRegions,
    Editor,
    HasPrior,
    KeepsDetail,
    Region,
    RemovesLighting,
    network_of,
)
from kinblend.pipeline.age_and_sex import AgeAndSex, ChildSpec, years_of
from kinblend.pipeline.judge import judge_children
from kinblend.pipeline.manifest import describe_faces, describe_run, finish
from kinblend.pipeline.own_blender import own_blender
from kinblend.pipeline.parents import ParentCache
from kinblend.pipeline.regions import check_regions
from kinblend.pipeline.request import (
    ChildRequest,
    RunPlan,
    child_seeds,
    load_input,
    resolve_strengths,
    validate_edits,
)
from kinblend.pipeline.result import Child, HasLatent, Parent, Result, UnrenderedChild, latent_of
from kinblend.pipeline.stages import OnStage, Stages
from kinblend.pipeline.variation import Variation, nearest
from kinblend.pipeline.warnings import about_blender, about_edits, about_parents, about_photographs, about_siblings
from kinblend.plugins import load_plugins
from kinblend.settings import load_settings
from kinblend.types import Latent, WeightMap

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel
    from torch import Tensor

    from kinblend.pipeline.request import EditValue, Picture

    Strategy = str | Blender | type[Blender] | WeightMap | Tensor


class Engine:
    """Predicts children of two people.

    Args:
        backbone: a pack's name, or the path of a pack's folder; None: that of the settings, else the installed pack
            that plugins prefer.
        device, precision, memory_budget: as `DevicePool` takes them; None: as the settings say.
        encoder: a name, in the place of the encoder that the pack names.
        encoder_options, projector_options: of the encoder, and of the projector that the pack names.
        cached_parents: how many parents are remembered with their photographs' latents; 0 for none.

    Raises:
        ModelError: where the backbone is missing or damaged.
        UsageError: for options that won't do.

    Example:
        >>> import torch
        >>> from kinblend import Latent
        >>> engine = Engine()
        >>> space = engine.backbone.space
        >>> codes = (torch.full((space.layers, space.dim), value) for value in (0.1, 0.3))
        >>> father, mother = (Latent(code, space) for code in codes)
        >>> child = engine.blend(father, mother, engine.blender("average"))
        >>> round(float(child.latent.code.mean()), 3)
        0.2
    """

    def __init__(
        self,
        backbone: str | Path | None = None,
        device: str | None = None,
        precision: str | Mapping[str, str] | None = None,
        memory_budget: str | float | None = None,
        *,
        encoder: str | None = None,
        encoder_options: Mapping[str, Any] | None = None,
        projector_options: Mapping[str, Any] | None = None,
        cached_parents: int = 8,
    ) -> None:
        settings = load_settings()
        self.pool = DevicePool(
            device or settings.device,
            settings.memory_budget if memory_budget is None else memory_budget,
            precision or settings.precision,
        )
        self.backbone: Backbone = load_backbone(
            backbone,
            self.pool,
            encoder=encoder,
            encoder_options=encoder_options,
            projector_options=projector_options,
        )
        self._parents = ParentCache(self.backbone, cached_parents)
        self._variation = Variation(self.backbone)

    def __repr__(self) -> str:
        return f"<Engine of {self.backbone.space}, {self.pool.device}, {self.pool.precision}>"

    def run(
        self,
        father: Picture,
        mother: Picture,
        request: ChildRequest | None = None,
        *,
        blender: Strategy | None = None,
        reconstruct: bool = False,
        on_stage: OnStage | None = None,
        **fields: Any,
    ) -> Result:
        """Children of two photographs.

        father, mother: paths, PIL pictures or uint8 arrays [H, W, 3] in RGB (OpenCV's are BGR: turn them round) with
            one face each, or several and its number, counted from the left; latents, files of latents, or people
            that `parent` knows already.
        request: what is asked for. fields: the same by the names of `ChildRequest`'s fields, in the place of a
            request's: `engine.run(father, mother, blender="mask", children=3, age=8, sex="any")`. Among them:
            blender, blender_options: a strategy and its options; None: the one that plugins prefer. `blender` may
            also be a `Blender` of your own, a `WeightMap`, or a float32 tensor [L, D] of the father's shares.
            edits: attribute → strength in standard deviations (-2) or target ("8y", "female"), made by `editor` and
            its `editor_options`.
            age, sex: the children's: 0 to 80 years; "girl", "boy" or, drawn from each child's seed, "any". None
            leaves them as they come of the blend.
            neutral: give the parents neutral expressions and turn their heads ahead before they are blended, as far
            as the editor knows how, and take away light from one side, as far as the projector does: a child does
            not inherit half a smile, nor half a shadow.
            children, seed: how many; each has a seed of its own, seed, seed + 1, … A strategy that is not stochastic
            gives the same child every time.
            projector_options: in the place of the constructor's: whose background, for example.
            siblings, mutation: how far each child is from the strategy's, as `vary` takes them.
            upscaler: enlarges faces of less than 256 pixels.
            judge: let an independent network say which age and sex it sees; its answer goes into the manifest. The
            first time takes about a second.
        reconstruct: also render both parents from their own latents.
        on_stage: called with the name of each stage as it begins.

        What of the request will hardly give what is meant by it stands in the result's `warnings`: edits beyond what
        was fitted, children that are all the same, one photograph given twice.

        Raises `InputError` for a picture or face that won't do and `UsageError` for invalid usage.
        """
        asked, own = request or ChildRequest(), None
        if isinstance(blender, str):
            fields["blender"] = blender
        elif blender is not None:
            own = own_blender(blender, self.backbone.context)
        if fields:
            asked = ChildRequest.of(asked.model_dump(exclude_unset=True) | fields)
        return self._execute(self._plan(father, mother, asked, own), reconstruct, on_stage)

    def _plan(self, father: Picture, mother: Picture, request: ChildRequest, own: Blender | None) -> RunPlan:
        """The request, with what it names loaded and checked before any work is done. Raises `UsageError`.

        own: a strategy in the place of the request's.
        """
        if own is not None and request.blender_options:
            raise UsageError("a blender of your own has its options already; leave out blender_options")
        wanted = request.age_and_sex
        check_upscaler(request.upscaler)
        self._variation.check(request.siblings, request.mutation)
        needed = bool(request.edits or wanted.named) or request.neutral
        editor = self._make_editor(request.editor, request.editor_options, needed)
        seeds, varied = child_seeds(request.seed, request.children), bool(request.siblings or request.mutation)
        edits = validate_edits(editor, request.edits) if editor and request.edits else {}
        blender = own or self.blender(request.blender, request.blender_options)
        children = tuple(self.child_spec(wanted, editor, edits, seed) for seed in seeds)
        return RunPlan(
            request,
            (load_input(father, self.backbone.space), load_input(mother, self.backbone.space)),
            blender,
            editor,
            edits,
            seeds,
            children,
            self.projector_options(request.projector_options),
            load_plugins()["analyser"].default().name if request.judge else None,
            (
                *about_blender(blender),
                *about_edits(editor, children),
                *about_siblings(blender, children, varied=varied),
            ),
        )

    def child_spec(
        self, wanted: AgeAndSex, editor: Editor | None, edits: Mapping[str, EditValue | str], seed: int
    ) -> ChildSpec:
        """What is asked of the child with that seed, beside the edits. Raises `UsageError`."""
        checked = validate_edits(editor, edits) if editor else {}
        wanted.check(editor, checked)
        return wanted.for_child(editor, checked, seed)

    def _make_editor(self, name: str | None, options: Mapping[str, Any] | None, needed: bool) -> Editor | None:
        """The editor, where there is something for it to do or to refuse."""
        if name is not None:
            load_plugins()["editor"].get(name)
        return self.editor(name, options) if needed or options else None

    def _execute(self, plan: RunPlan, reconstruct: bool, on_stage: OnStage | None) -> Result:
        run = describe_run(self.backbone, plan)
        stages = Stages(load_plugins(), run, on_stage)
        with self.pool:
            sources = [run["inputs"][who] for who in ("father", "mother")]
            father, mother = self._prepare_parents(plan, stages, sources)
            unrendered = self._blend_children(plan, father.latent, mother.latent, stages)
            with stages("render"):
                children = self._render(unrendered, plan.seeds[0])
                if reconstruct:
                    father, mother = self._reconstructed([father, mother], plan.seeds[0])
            with stages("compare"):
                pictures = [child.image for child in children]
                cosines = face_cosines([father.crop, mother.crop, *pictures])
                run["warnings"] = [*plan.warnings, *about_parents(father, mother, cosines[0][1])]
                run["warnings"] += about_photographs(father, mother)
                run["face_quality"] = describe_faces(father, mother)
                seen = judge_children(plan.judge, pictures)
        alike = [row[:2] for row in cosines[2:]]
        return Result(father, mother, children, finish(run, children, alike, seen, stages.seconds, self.pool))

    def _prepare_parents(self, plan: RunPlan, stages: Stages, sources: Sequence[Mapping[str, str]]) -> list[Parent]:
        names = ("the father's picture", "the mother's picture")
        faces = (plan.request.father_face, plan.request.mother_face)
        with stages("detect"):
            people = zip(plan.pictures, faces, names, sources, strict=True)
            found = [self._parents.resolve(*who, plan.request.upscaler) for who in people]
        with stages("encode"):
            return self._parents.encode_all(found)

    def _blend_children(self, plan: RunPlan, father: Latent, mother: Latent, stages: Stages) -> list[UnrenderedChild]:
        with stages("blend"):
            if plan.request.neutral and plan.editor:
                father, mother = (self.neutral(parent, plan.editor) for parent in (father, mother))
            children = [
                self._blend(father, mother, plan.blender, seed, plan.projector_options) for seed in plan.seeds
            ]
            asked, calm = plan.request, plan.editor if plan.request.neutral else None
            children = [
                self._vary(child, (father, mother), asked.siblings, asked.mutation, plan.editor, calm)
                for child in children
            ]
        with stages("edit"):
            pairs = zip(children, plan.children, strict=True)
            return [self._apply_edits(child, plan.editor, spec.all_edits) for child, spec in pairs]

    def _apply_edits(
        self, child: UnrenderedChild, editor: Editor | None, edits: Mapping[str, EditValue]
    ) -> UnrenderedChild:
        if not (editor and edits):
            return child
        latent, clamped = self._edit(child.latent, editor, edits)
        return replace(child, latent=latent, clamped=max(child.clamped, clamped))

    def _render(self, children: Sequence[UnrenderedChild], seed: int) -> list[Child]:
        pictures = self.backbone.render([child.latent for child in children], seed=seed)
        return [child.rendered(picture) for child, picture in zip(children, pictures, strict=True)]

    def _reconstructed(self, parents: Sequence[Parent], seed: int) -> list[Parent]:
        pictures = self.backbone.render([parent.latent for parent in parents], seed=seed)
        return [replace(parent, reconstruction=shown) for parent, shown in zip(parents, pictures, strict=True)]

    def parent(self, picture: Picture, face: int | None = None, upscaler: str | None = None) -> Parent:
        """One person: the face that is cut out of a photograph, its latent, and how good the photograph is.

        picture: as `run` takes it. face: which of several, counted from the left. upscaler: which enlarges a face of
        less than 256 pixels; None for none. Raises `InputError`, and `UsageError` for an unknown upscaler.
        """
        check_upscaler(upscaler)
        with self.pool:
            source = load_input(picture, self.backbone.space)
            return self._parents.encode(self._parents.resolve(source, face, "the picture", upscaler=upscaler))

    def encode(self, picture: Picture, face: int | None = None) -> Latent:
        """The latent of the face in a photograph: the one of `parent`. Raises `InputError`."""
        return self.parent(picture, face).latent

    @overload
    def render(self, latents: HasLatent, *, seed: int = 0, size: int | None = None) -> Image: ...
    @overload
    def render(self, latents: Sequence[HasLatent], *, seed: int = 0, size: int | None = None) -> list[Image]: ...
    def render(
        self, latents: HasLatent | Sequence[HasLatent], *, seed: int = 0, size: int | None = None
    ) -> Image | list[Image]:
        """The picture of a latent, RGB; of several latents, a list of them.

        latents: also parents or children, whose latents are meant. seed: of random noise, where the projector draws
        any. size: side in pixels that is enough. Raises `UsageError` and `LatentSpaceError`.
        """
        if isinstance(latents, Sequence):
            return self.backbone.render([latent_of(one) for one in latents], seed=seed, size=size)
        return self.backbone.render([latent_of(latents)], seed=seed, size=size)[0]

    def forget(self) -> None:
        """Drop the parents that are remembered so that another child of theirs is quick: faces and latents both."""
        self._parents.forget()

    def blender(self, name: Strategy | None = None, options: Mapping[str, Any] | None = None) -> Blender:
        """A strategy for this backbone; None: the one that plugins prefer. Raises `UsageError`.

        name: also what `run` takes as a strategy of one's own.
        """
        if name is not None and not isinstance(name, str):
            return own_blender(name, self.backbone.context)
        name = name or load_plugins()["blender"].default().name
        return cast(Blender, make_plugin("blender", name, self.backbone.context, options))

    def editor(self, name: str | None = None, options: Mapping[str, Any] | None = None) -> Editor:
        """An editor for this backbone; None: the one that plugins prefer. Raises `UsageError`."""
        name = name or load_plugins()["editor"].default().name
        return cast(Editor, make_plugin("editor", name, self.backbone.context, options))

    def projector_options(self, options: Mapping[str, Any] | None) -> BaseModel:
        """The projector's options: the constructor's, and these in the place of those. Raises `OptionError`."""
        projector = self.backbone.projector
        if not options:
            own: BaseModel = projector.options
            return own
        values = {**self.backbone.projector_options, **options}
        return load_plugins()["projector"].get(projector.name).parse_options(values)

    def blend(
        self,
        father: HasLatent,
        mother: HasLatent,
        strategy: Strategy | None = None,
        seed: int = 0,
        projector_options: Mapping[str, Any] | None = None,
    ) -> UnrenderedChild:
        """A child's latent, detail included, and how it came about; not yet rendered.

        father, mother: latents, or parents or children, whose latents are meant. strategy: as `run` takes it.
        projector_options: of this child, in the place of the constructor's.
        Raises `LatentSpaceError` for latents of another backbone and `PluginError` where the strategy fails.
        """
        parents, options = (latent_of(father), latent_of(mother)), self.projector_options(projector_options)
        return self._blend(*parents, self.blender(strategy), seed, options)

    def _blend(
        self, father: Latent, mother: Latent, strategy: Blender, seed: int, options: BaseModel
    ) -> UnrenderedChild:
        import torch

        check_cancelled()
        [seed], space, projector = child_seeds(seed, 1), self.backbone.space, self.backbone.projector
        for latent in (father, mother):
            space.require(latent.space)
        # Strategies get copies: one that writes into its inputs must not change the parents of the next child.
        with self.pool.lease(network_of(strategy), "blender"), wrap_plugin_errors(strategy.title):
            blend = strategy.blend(father.code.clone(), mother.code.clone(), seed)
        if not isinstance(blend, Blend):
            raise PluginError(f"{strategy.title} gave a {type(blend).__name__}, not a kinblend.Blend")
        with wrap_plugin_errors(strategy.title, LatentError):
            child, clamped = self._project_to_prior(blend.code, torch.stack([father.code, mother.code]))
            weights = blend.weights and WeightMap(blend.weights.values.clone(), space)
            shares = weights or WeightMap(child.code.new_full(child.code.shape, blend.share), space)
            offset = _size(blend.offset)
        check_regions(blend.regions, strategy.title)
        with wrap_plugin_errors(projector.title):
            detail = (
                projector.blend_detail(father.copy(), mother.copy(), WeightMap(shares.values.clone(), space), options)
                if isinstance(projector, KeepsDetail)
                else {}
            )
            child = replace(child, detail=detail)
        if blend.regions:
            child = self._blend_regions(child, {"father": father, "mother": mother}, blend.regions)
        return UnrenderedChild(child, weights, seed, clamped, offset)

    def _blend_regions(self, child: Latent, parents: Mapping[str, Latent], regions: Sequence[Region]) -> Latent:
        """The child with parts of its parents' faces. Raises `UnsupportedError` where the projector can't."""
        projector = self.backbone.projector
        if not isinstance(projector, BlendsRegions):
            raise UnsupportedError(f"{projector.title} can't draw parts of a face from one parent alone")
        people = [(parents[region.parent].copy(), region) for region in regions]
        with wrap_plugin_errors(projector.title, LatentError):
            return projector.blend_regions(child, people).copy()

    def check_variation(self, siblings: float, mutation: float) -> None:
        """Raise `UsageError` for a value that `vary` does not take, `UnsupportedError` for mutation where this
        backbone's generator draws nobody."""
        self._variation.check(siblings, mutation)

    def vary(
        self,
        child: UnrenderedChild,
        father: HasLatent,
        mother: HasLatent,
        *,
        siblings: float = 0.0,
        mutation: float = 0.0,
        editor: Editor | None = None,
        neutral: bool = True,
    ) -> UnrenderedChild:
        """A child of `blend` as one of several brothers and sisters; drawn from its own seed.

        father, mother: of whom `blend` made it. siblings: how different children of one couple are, 0 to 1.5; at 1
        as real brothers and sisters. mutation: the share of its genes that come from somebody else, 0 to 0.5.
        editor: reads age and sex, so that somebody is found who is like the child in these. neutral: give the child
        a neutral expression, a head turned ahead and even light again, with the editor.
        Raises `UsageError` for a value out of range, and `UnsupportedError` for mutation where the backbone's
        generator draws nobody.
        """
        self._variation.check(siblings, mutation)
        parents = latent_of(father), latent_of(mother)
        return self._vary(child, parents, siblings, mutation, editor, editor if neutral else None)

    def _vary(
        self,
        child: UnrenderedChild,
        parents: tuple[Latent, Latent],
        siblings: float,
        mutation: float,
        editor: Editor | None,
        calm: Editor | None,
    ) -> UnrenderedChild:
        """calm: the editor that makes the result neutral again, if that is asked for."""
        import torch

        if not siblings and not mutation:
            return child
        father, mother = (parent.code for parent in parents)
        code = child.latent.code
        if siblings:
            code = code + self._variation.siblings(father, mother, siblings, child.seed)
        if mutation:
            people = self._variation.strangers(child.seed)
            stranger = Latent(nearest(editor, code, people), self.backbone.space)
            stranger = self.neutral(stranger, calm) if calm else stranger
            code = self._variation.mutate(code, stranger.code, mutation, child.seed)
        moved, clamped = self._project_to_prior(code, torch.stack([father, mother, child.latent.code]))
        moved = self._with_detail(child.latent, moved)
        moved = self.neutral(moved, calm) if calm else moved
        size = _size(moved.code - child.latent.code)
        return replace(child, latent=moved, clamped=max(child.clamped, clamped), varied=size)

    def edit(self, latent: HasLatent, editor: Editor | str | None, edits: Mapping[str, EditValue | str]) -> Latent:
        """The latent moved along the named attributes, its detail with it. No editor: the latent as it is.

        editor: itself or its name. edits: attribute → strength (-2) or target ("8y", "female").
        Raises `UsageError` for an unknown attribute or a strength out of range, `PluginError` where the editor fails.
        """
        before = latent_of(latent)
        if editor is None:
            return before
        mover = self.editor(editor) if isinstance(editor, str) else editor
        if not isinstance(mover, Editor):
            raise UsageError(f"a {type(mover).__name__} is no editor; give its name or a kinblend.Editor")
        return self._edit(before, mover, validate_edits(mover, edits))[0]

    def neutral(self, latent: HasLatent, editor: Editor) -> Latent:
        """The latent with a calm expression, the head facing ahead and light from both sides, as far as the editor
        and the projector know how."""
        latent, projector = latent_of(latent), self.backbone.projector
        if isinstance(projector, RemovesLighting):
            with wrap_plugin_errors(projector.title, LatentError):
                latent = replace(latent, code=projector.remove_lighting(latent.code[None].clone())[0].clone())
        with wrap_plugin_errors(editor.title):
            strengths = editor.neutral_strengths(latent.code.clone())
        return self._edit(latent, editor, strengths)[0] if strengths else latent

    def _edit(self, latent: Latent, editor: Editor, edits: Mapping[str, EditValue]) -> tuple[Latent, float]:
        """The edited latent, and how far its code was brought back."""
        check_cancelled()
        self.backbone.space.require(latent.space)
        with self.pool.lease(network_of(editor), "editor"), wrap_plugin_errors(editor.title, LatentError):
            strengths = resolve_strengths(editor, latent.code.clone(), edits)
            edited = editor.edit(latent.code[None].clone(), strengths)[0]
            moved, clamped = self._project_to_prior(edited, latent.code[None])
        moved, years, projector = self._with_detail(latent, moved), years_of(edits), self.backbone.projector
        if isinstance(projector, AgesDetail) and years is not None:
            with wrap_plugin_errors(projector.title):
                moved = replace(moved, detail=projector.detail_at_age(moved.copy(), years))
        return moved, clamped

    def _with_detail(self, before: Latent, moved: Latent) -> Latent:
        """The moved code with the detail that `before` has, as far as the projector lets it follow."""
        projector = self.backbone.projector
        if not isinstance(projector, KeepsDetail):
            return replace(moved, detail=before.detail)
        with wrap_plugin_errors(projector.title):
            return replace(moved, detail=projector.edit_detail(before.copy(), moved.code.clone()))

    def _project_to_prior(self, code: Tensor, reference: Tensor) -> tuple[Latent, float]:
        """A code, checked and brought back to where faces are; and how far that moved it."""
        given, projector = Latent(code, self.backbone.space).copy(), self.backbone.projector
        if not isinstance(projector, HasPrior):
            return given, 0.0
        with wrap_plugin_errors(projector.title, LatentError):
            moved = projector.project_to_prior(given.code[None].clone(), reference.clone())[0]
            kept = replace(given, code=moved).copy()
        return kept, float((kept.code - given.code).square().mean().sqrt())


def _size(offset: Tensor | None) -> float:
    """Root mean square; 0 for nothing."""
    return 0.0 if offset is None else float(offset.square().mean().sqrt())
