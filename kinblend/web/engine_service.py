"""The engine at work for the web app. All of it but `check` runs in the worker's thread."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kinblend.errors import KinblendError, OptionError, PluginError, SeveralFacesError
from kinblend.faces.detect import detect
from kinblend.faces.select import foreground
from kinblend.faces.upright import STRAIGHT
from kinblend.faces.view import roll_of, view
from kinblend.imaging import decode_image
from kinblend.imaging.encode import jpeg_bytes
from kinblend.interfaces import SamplesLatents
from kinblend.pipeline import ChildRequest, Engine, Parent, Result, UnrenderedChild
from kinblend.pipeline.age_and_sex import ATTRIBUTES
from kinblend.plugins import load_plugins
from kinblend.settings import Settings
from kinblend.types import Latent
from kinblend.web.cost import check_cost
from kinblend.web.forms import fields_of, refuse_files
from kinblend.web.limits import Limits
from kinblend.web.records import FaceCandidate, Family, Photo
from kinblend.web.schemas import PreviewRequest, WebOptions

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.face_interfaces import Detection
    from kinblend.registry import PluginSpec

PREVIEW = 256  # px
THUMBNAIL = 192
MARGIN = 0.35  # round a face's box, of its longer side


class EngineService:
    """Looks at photographs and makes children.

    settings: backbone, device, encoder, blender and editor. limits: of photographs and of orders. judge: whether an
        independent network says which age and sex it sees in the children.

    Raises `ModelError` where the backbone is missing.
    """

    def __init__(self, settings: Settings, limits: Limits, judge: bool = False) -> None:
        self.settings, self.limits, self._judge = settings, limits, judge
        known: Any = settings.precision
        # Who is remembered, for whom and for how long is the store's business.
        self.engine = Engine(
            settings.backbone,
            settings.device,
            known,
            settings.memory_budget,
            encoder=settings.encoder,
            cached_parents=0,
        )
        self.editor = self.engine.editor(settings.editor)
        self.layer_groups = dict(self.engine.backbone.projector.layer_groups())
        self.attributes = dict(self.editor.attributes())
        targets = self.editor.targets()
        self.units = {name: list(targets.get(name, ())) for name in self.attributes}
        self.labels = dict(self.editor.labels())
        backbone = self.engine.backbone
        self.lacking = {spec.name: backbone.lacks(spec) for spec in load_plugins()["blender"]}
        self._names: dict[tuple[str, str], list[str]] = {}
        self.ready = False

    def check(self, request: WebOptions, children: int = 1) -> None:
        """Raise `UsageError` for request that can't be fulfilled, or cost too much, before anyone waits for them."""
        told = []
        blender = self.blender(request)
        projector = str(self.engine.backbone.pack.description["projector"])
        for kind, name, options in (
            ("blender", blender, request.blender_options),
            ("projector", projector, request.projector_options),
        ):
            spec = load_plugins()[kind].get(name)
            told.append(spec.parse_options(options))
            refuse_files(spec, told[-1])
        self._check_names(load_plugins()["blender"].get(blender), request.blender_options)
        check_cost(self.limits, told, children, self.engine.backbone.pack.resolution)
        if self.lacking.get(blender):
            self.engine.blender(blender, request.blender_options)  # some options do without weights
        self.engine.child_spec(request.age_and_sex, self.editor, request.edits, request.seed)
        self.engine.check_variation(request.siblings, request.mutation)

    def blender(self, request: WebOptions) -> str:
        """The strategy that a request names; else that of the settings, else the one that plugins prefer."""
        return request.blender or self.settings.blender or load_plugins()["blender"].default().name

    def warm_up(self, check: Callable[[], None]) -> None:
        """Load every network once. check: may raise between steps."""
        from PIL import Image as pil

        from kinblend.faces.landmarks import predict_in_crop
        from kinblend.identity import load_identity

        grey = pil.new("RGB", (PREVIEW, PREVIEW), "grey")
        backbone = self.engine.backbone
        steps: list[Callable[[], object]] = [
            lambda: detect(grey),
            lambda: predict_in_crop(grey),
            load_identity,
            lambda: (backbone.encoder, backbone.projector),
        ]
        for step in steps:
            check()
            step()
        self.ready = True

    def inspect(self, data: bytes, face: int | None = None, upscaler: str | None = None) -> Photo:
        """Who is in a photograph: the parent where that is clear, the faces to choose from where not.

        upscaler: which enlarges a small face. The photo has no name yet. Raises `InputError`, `UsageError`.
        """
        image = decode_image(data, "the photograph", most_pixels=self.limits.pixels, keep=self.limits.kept_pixels)
        try:
            parent = self.engine.parent(image, face, upscaler)
        except SeveralFacesError:
            return Photo("", data, _candidates(image), upscaler=upscaler)
        finally:
            self.engine.pool.records.clear()
        return Photo("", face=face, parent=parent, crop=jpeg_bytes(parent.crop, synthetic=False))

    def preview(self, father: Photo, mother: Photo, request: PreviewRequest) -> bytes:
        """A child as a small JPEG, from latents alone."""
        child = self._child(father, mother, request)
        picture = self.engine.render(child, seed=request.seed, size=PREVIEW)
        self.engine.pool.records.clear()
        return jpeg_bytes(at_most(picture, 2 * PREVIEW), quality=88)

    def at_ages(self, family: Family, number: int, ages: Sequence[float], check: Callable[[], None]) -> list[Image]:
        """A finished child at other ages, small, from latents alone. check: called between them."""
        assert family.result is not None
        order = family.order
        edits = {name: value for name, value in order.edits.items() if name != ATTRIBUTES["age"]}
        seed, latents = family.result.children[number - 1].seed, []
        for age in ages:
            check()
            request = order.model_copy(update={"seed": seed, "edits": edits, "age": age})
            latents.append(self._child(family.father, family.mother, request))
        check()
        pictures = self.engine.render(latents, seed=seed, size=PREVIEW)
        self.engine.pool.records.clear()
        return [picture.resize((PREVIEW, PREVIEW)) for picture in pictures]

    def _child(self, father: Photo, mother: Photo, request: PreviewRequest) -> Latent:
        asked = self.engine.child_spec(request.age_and_sex, self.editor, request.edits, request.seed)
        child = self._varied(self._blended(father, mother, request), father, mother, request)
        return self.engine.edit(child.latent, self.editor, asked.all_edits)

    @property
    def knows_ages(self) -> bool:
        """Whether an age in years can be asked for."""
        return "years" in self.units.get(ATTRIBUTES["age"], ())

    @property
    def draws_people(self) -> bool:
        """Whether the generator draws people, of whom a mutation can be taken."""
        return isinstance(self.engine.backbone.projector, SamplesLatents)

    def run(
        self, father: Parent, mother: Parent, request: WebOptions, children: int, on_stage: Callable[[str], None]
    ) -> tuple[Result, list[bytes]]:
        """Children in full, and each as a JPEG for screens."""
        fields = request.given | {"blender": self.blender(request), "editor": self.settings.editor}
        asked = ChildRequest.of({**fields, "children": children, "judge": self._judge})
        result = self.engine.run(father, mother, asked, on_stage=on_stage)
        return result, [jpeg_bytes(child.image) for child in result.children]

    def neutral_parent(self, photo: Photo) -> Parent:
        """The parent with a calm face, turned ahead; worked out once."""
        assert photo.parent is not None
        if photo.neutral_latent is None:
            photo.neutral_latent = self.engine.neutral(photo.parent.latent, self.editor)
        return replace(photo.parent, latent=photo.neutral_latent)

    def _blended(self, father: Photo, mother: Photo, request: PreviewRequest) -> UnrenderedChild:
        made_by = request.model_dump(exclude={"edits", "age", "sex", "siblings", "mutation"})
        key = json.dumps([made_by, mother.face], sort_keys=True)
        if key not in father.blends:
            ours, theirs = self._parents_of(father, mother, request)
            strategy = self.engine.blender(self.blender(request), request.blender_options)
            father.remember(key, self.engine.blend(ours, theirs, strategy, request.seed, request.projector_options))
        return father.blends[key]

    def _varied(
        self, child: UnrenderedChild, father: Photo, mother: Photo, request: PreviewRequest
    ) -> UnrenderedChild:
        if not request.siblings and not request.mutation:
            return child
        return self.engine.vary(
            child,
            *self._parents_of(father, mother, request),
            siblings=request.siblings,
            mutation=request.mutation,
            editor=self.editor,
            neutral=request.neutral,
        )

    def _parents_of(self, father: Photo, mother: Photo, request: PreviewRequest) -> tuple[Latent, Latent]:
        assert father.parent is not None and mother.parent is not None
        if request.neutral:
            return self.neutral_parent(father).latent, self.neutral_parent(mother).latent
        return father.parent.latent, mother.parent.latent

    def can(self, spec: PluginSpec, **options: object) -> bool:
        """Whether a strategy can be made with these options here: what it needs for them may not be installed."""
        try:
            self.engine.blender(spec.name, options)
        except KinblendError:
            return False
        return True

    def names_for(self, spec: PluginSpec, option: str) -> list[str]:
        """What an option of a strategy can name here; nothing where it can't be made."""
        key = (spec.name, option)
        if key not in self._names:
            try:
                self._names[key] = list(self.engine.blender(spec.name).names_for(option))
            except KinblendError:
                self._names[key] = []
        return self._names[key]

    def _check_names(self, spec: PluginSpec, options: Mapping[str, Any]) -> None:
        """Raise `OptionError` where a mapping names what this backbone does not have."""
        for name in (one.name for one in fields_of(spec) if one.kind == "parts" and one.name in options):
            known = self.names_for(spec, name)
            if known and (unknown := sorted(set(options[name]) - set(known))):
                here, there = self.engine.backbone.name, ", ".join(known)
                raise OptionError(f"{name}: {here} has no {', '.join(unknown)}; it has: {there}")

    @staticmethod
    def is_stochastic(spec: PluginSpec) -> bool:
        """Whether a strategy's children differ by their seeds. One that can't be imported has none."""
        try:
            return bool(spec.load().stochastic)
        except (PluginError, AttributeError):
            return False


def _candidates(image: Image) -> list[FaceCandidate]:
    """The faces of a picture, left to right, as `find_face` numbers them."""
    return [_candidate(image, face) for face in foreground(detect(image))]


def _candidate(image: Image, face: Detection) -> FaceCandidate:
    left, top, right, bottom = face.box
    reach = max(right - left, bottom - top) * (0.5 + MARGIN)
    x, y = (left + right) / 2, (top + bottom) / 2
    around = (round(x - reach), round(y - reach), round(x + reach), round(y + reach))
    roll = roll_of(face.points)
    cut = image.crop(around) if abs(roll) <= STRAIGHT else view(image, roll, around, THUMBNAIL).image
    width, height = image.size
    shares = tuple(
        min(1.0, max(0.0, value)) for value in (left / width, top / height, right / width, bottom / height)
    )
    return FaceCandidate(shares, jpeg_bytes(at_most(cut, THUMBNAIL), synthetic=False))  # type: ignore[arg-type]


def at_most(picture: Image, side: int) -> Image:
    """A picture whose longer side is at most so many pixels."""
    if max(picture.size) > side:
        picture = picture.copy()
        picture.thumbnail((side, side))
    return picture
