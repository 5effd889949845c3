"""Encoders side by side: how well each reconstructs people it never saw, how well its codes edit, how fast it is.

Every figure is of one person; what is reported is the mean over people, with an interval. Reconstruction: cosines of
identity networks, and PSNR and MS-SSIM inside the face. Editability: the latent editing consistency of Tov et al.
2021 ("Designing an Encoder for StyleGAN Image Manipulation"): a code is edited, rendered, encoded again and edited
back; an encoder whose codes lie where edits work ends where it began.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn.functional import normalize

from kinblend.cancellation import check_cancelled
from kinblend.errors import KinblendError, UsageError
from kinblend.evaluation.image_metrics import inside_face, ms_ssim, psnr
from kinblend.evaluation.readings import ask_analyser
from kinblend.faces import faces_in
from kinblend.identity import load_identity
from kinblend.imaging import to_batch
from kinblend.pipeline import Engine
from kinblend.pipeline.request import validate_edits
from kinblend.plugins import load_plugins
from kinblend.settings import load_settings
from kinblend.storage.pack_index import find_pack, installed

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.face_interfaces import IdentityNetwork
    from kinblend.interfaces import Editor
    from kinblend.types import Latent

SIZE = 256  # side of the pictures that are compared, in pixels
DEFAULT = {"age": 2.0}  # the edit
JUDGES = 2  # identity networks that are asked by default
SEEN, SECONDS = "face found", "seconds"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """An encoder to be measured.

    backbone: name or folder of its pack. encoder: its name. options: of it. label: what it is called in reports.
    """

    backbone: str
    encoder: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    @property
    def title(self) -> str:
        """Backbone and encoder: "mine: first"."""
        return f"{self.backbone}: {self.label or self.encoder}"

    def open(self, *machine: Any) -> Engine:
        """An engine with that encoder, loaded. machine: device, precision and memory budget, as `Engine` takes them.

        Raises `KinblendError` where the encoder can't serve the pack.
        """
        engine = Engine(self.backbone, *machine, encoder=self.encoder, encoder_options=dict(self.options))
        _ = engine.backbone.encoder
        return engine


def find_candidates(
    backbones: Sequence[str | Path] = (), wanted: Sequence[tuple[str, Mapping[str, Any], str]] = ()
) -> list[Candidate]:
    """What there is to measure.

    backbones: packs by name or folder; none: all that are here. wanted: encoders with options and label; none: of
    each pack its own, and the variants that its plugin names for evaluations.
    Raises `PackNotFoundError`, `UnknownPluginError` and `OptionError`.
    """
    settings, plugins = load_settings(), load_plugins()
    shipped = [source.name for source in plugins.packs.values() if source.folder is not None]
    found: list[Candidate] = []
    for name, options, _ in wanted:
        plugins["encoder"].get(name).parse_options(options)
    for backbone in backbones or dict.fromkeys([*installed(settings.packs), *shipped]):
        own = find_pack(backbone, settings.packs, plugins.packs).description["encoder"]
        if wanted:
            found += [Candidate(str(backbone), name, options, label) for name, options, label in wanted]
        elif own is not None:
            variants = plugins["encoder"].get(own).variants
            chosen = {own: {}, **variants}
            found += [Candidate(str(backbone), own, options, label) for label, options in chosen.items()]
    return found


@dataclass(frozen=True)
class People:
    """Who is measured with.

    names: of their photographs. faces: crops in FFHQ geometry. judges: identity networks. embeddings: by each of
    these, of unit length, [n, E].
    """

    names: Sequence[str]
    faces: Sequence[Image]
    judges: Sequence[IdentityNetwork]
    embeddings: Sequence[Tensor]

    @classmethod
    def of(cls, names: Sequence[str], faces: Sequence[Image], judges: Sequence[str] = ()) -> People:
        """judges: names of identity networks; none: the first two that can be loaded."""
        networks = [load_identity(name) for name in judges] or usable_judges()
        return cls(names, faces, networks, [embedded(network, faces) for network in networks])


def usable_judges(count: int = JUDGES) -> list[IdentityNetwork]:
    """So many identity networks, the one in use first, that have all they need."""
    found = [load_identity()]
    for spec in load_plugins()["identity-network"].by_preference():
        if len(found) < count and spec.name != found[0].name:
            try:
                found.append(load_identity(spec.name))
            except KinblendError:
                continue
    return found


def embedded(network: IdentityNetwork, faces: Sequence[Image]) -> Tensor:
    """Unit embeddings, float32 [n, E]."""
    return normalize(network.embed_faces(faces), dim=1)


@dataclass(frozen=True)
class Outcome:
    """What was found of an encoder.

    values: figure → its value for each person, [n], NaN where it could not be told. pictures: reconstructions.
    """

    candidate: Candidate
    values: Mapping[str, Tensor]
    pictures: Sequence[Image] = field(repr=False)


def measure(
    candidate: Candidate,
    engine: Engine,
    people: People,
    edits: Mapping[str, float],
    analysers: Sequence[str],
    progress: Progress = lambda _: None,
) -> Outcome:
    """All figures of one encoder.

    edits: attribute → strength. analysers: names of those that are asked how far an edit moved what it names.
    """
    progress(f"{candidate.title}: encode")
    latents, seconds = _encoded(engine, people.faces)
    pictures = _rendered(engine, latents)
    values = {SECONDS: seconds} | _reconstruction(people, pictures)
    if any(latent.detail for latent in latents):
        whole = _reconstruction(people, _rendered(engine, latents, detail=True))
        values |= {f"{figure}, with detail": value for figure, value in whole.items()}
    editor = engine.editor() if edits else None
    for attribute, strength in edits.items():
        progress(f"{candidate.title}: {attribute}{strength:+g}")
        work = _Edit(engine, cast("Editor", editor), attribute, strength)
        found = work.measure(people, latents, pictures, analysers)
        values |= {f"{attribute}{strength:+g}, {figure}": value for figure, value in found.items()}
    return Outcome(candidate, values, pictures)


def edits_of(
    candidates: Sequence[Candidate], asked: Mapping[str, Any] | None, *machine: Any
) -> dict[str, dict[str, float]]:
    """The edits of each backbone, by its name: attribute → strength, without those that its editor does not know.

    asked: as `validate_edits` takes them; empty: age, where it is known; None: none. machine: as `Candidate.open`
    takes it. Raises `UsageError` for a target, which can't be undone, and where no editor knows an attribute.
    """
    found: dict[str, dict[str, float]] = {}
    for backbone in dict.fromkeys(candidate.backbone for candidate in candidates):
        editor = Engine(backbone, *machine).editor()
        known = editor.attributes()
        edits = validate_edits(editor, {name: edit for name, edit in (asked or DEFAULT).items() if name in known})
        for name, strength in edits.items():
            if not isinstance(strength, float | int):
                raise UsageError(f"{name}={(asked or {})[name]}: an edit that is undone is a strength, such as 2")
        found[backbone] = {} if asked is None else {name: float(cast(float, edit)) for name, edit in edits.items()}
    if missing := set(asked or {}) - {name for edits in found.values() for name in edits}:
        raise UsageError(f"no editor of these backbones can move {', '.join(map(repr, sorted(missing)))}")
    return found


def _encoded(engine: Engine, faces: Sequence[Image]) -> tuple[list[Latent], Tensor]:
    """Latents, each encoded alone, and seconds [n]; of several, the first only warms up, and has NaN."""
    latents, seconds = [], []
    for face in faces:
        check_cancelled()
        started = time.perf_counter()
        latents += engine.backbone.encode([face])
        seconds.append(time.perf_counter() - started)
    if len(seconds) > 1:
        seconds[0] = float("nan")
    return latents, torch.tensor(seconds)


def _rendered(engine: Engine, latents: Sequence[Latent], detail: bool = False) -> list[Image]:
    """Pictures of codes, and where it is asked for of the detail that these can't carry."""
    return engine.backbone.render([latent if detail else replace(latent, detail={}) for latent in latents])


def _reconstruction(people: People, pictures: Sequence[Image]) -> dict[str, Tensor]:
    """Cosine to the photograph and whether the right person is the nearest, by each network; PSNR, MS-SSIM."""
    found: dict[str, Tensor] = {}
    for judge, known in zip(people.judges, people.embeddings, strict=True):
        cosines = embedded(judge, pictures) @ known.T
        found[f"identity, {judge.name}"] = cosines.diagonal()
        found[f"right one nearest, {judge.name}"] = (cosines.argmax(1) == torch.arange(len(cosines))).float()
    found |= _alike(pictures, people.faces)
    return found | {SEEN: torch.tensor([float(len(faces_in(picture)) == 1) for picture in pictures])}


def _alike(ours: Sequence[Image], theirs: Sequence[Image]) -> dict[str, Tensor]:
    """PSNR in dB and MS-SSIM inside the face, at 256 px."""
    one, other = (to_batch(list(images), SIZE) / 2 + 0.5 for images in (ours, theirs))
    where = inside_face(SIZE).expand(len(one), -1, -1, -1)
    return {"PSNR": psnr(one, other, where), "MS-SSIM": ms_ssim(one * where, other * where)}


@dataclass(frozen=True)
class _Edit:
    """One edit of everybody's code, and back."""

    engine: Engine
    editor: Editor
    attribute: str
    strength: float

    def measure(
        self, people: People, latents: Sequence[Latent], pictures: Sequence[Image], analysers: Sequence[str]
    ) -> dict[str, Tensor]:
        """LEC: how far the code is from the first after the edit, another encoding and the edit back, ‖·‖₂, as Tov et
        al. have it; LEC, share: over the median distance of two people's codes, which spaces can be compared by. LEC
        identity, LEC PSNR: of the last picture, beside the first reconstruction. identity kept: cosine of the edited
        picture to that. By analysers: what of the attribute's name they saw change."""
        edited = _rendered(self.engine, self._moved(latents, self.strength))
        again, _ = _encoded(self.engine, edited)
        back = self._moved(again, -self.strength)
        last = _rendered(self.engine, back)
        before, after = (torch.stack([one.code for one in some]).flatten(1) for some in (latents, back))
        away = (after - before).norm(dim=1)
        found = {"LEC": away, "LEC, share": away / _apart(before)}
        for judge in people.judges:
            own = embedded(judge, pictures)
            found[f"LEC identity, {judge.name}"] = (embedded(judge, last) * own).sum(1)
            found[f"identity kept, {judge.name}"] = (embedded(judge, edited) * own).sum(1)
        found["LEC PSNR"] = _alike(last, pictures)["PSNR"]
        for name in analysers:
            change = _read(name, self.attribute, edited) - _read(name, self.attribute, pictures)
            if not bool(change.isnan().all()):
                found[f"{self.attribute} by {name}"] = change
        return found

    def _moved(self, latents: Sequence[Latent], strength: float) -> list[Latent]:
        return [self.engine.edit(latent, self.editor, {self.attribute: strength}) for latent in latents]


def _apart(codes: Tensor) -> float:
    """The median distance between two people's codes, [n, L·D]."""
    return float(statistics.median(torch.pdist(codes).tolist() or [float("nan")]))


def _read(analyser: str, attribute: str, pictures: Sequence[Image]) -> Tensor:
    """What an analyser says of an attribute, [n]; NaN where it says nothing."""
    readings = ask_analyser(analyser, pictures)
    return torch.tensor([reading.numbers.get(attribute, float("nan")) for reading in readings])
