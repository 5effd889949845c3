"""Encoders side by side: how well each reconstructs people it never saw, how well its codes edit, how fast it is.

Every figure is of one person; what is reported is the mean over people, with an interval. Reconstruction: cosines of
identity networks, and PSNR and MS-SSIM inside the face. Editability: the latent editing consistency of Tov et al.
2021 ("Designing an Encoder for StyleGAN Image Manipulation"): a code is edited, rendered, encoded again and edited
back; an encoder whose codes lie where edits work ends where it began.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from kinblend.errors import KinblendError, UsageError
from kinblend.evaluation.encoder_jobs import (
    LEC,
    EncoderJob,
    Reconstructed,
    embedded,
    embeddings_of,
    encode_person,
)
from kinblend.evaluation.processes import SharedBackbone, share_work
from kinblend.identity import load_identity
from kinblend.pipeline import Engine
from kinblend.pipeline.request import validate_edits
from kinblend.plugins import load_plugins
from kinblend.settings import load_settings
from kinblend.storage.pack_index import find_pack, installed
from kinblend.workers import Workers

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.face_interfaces import IdentityNetwork

DEFAULT = {"age": 2.0}  # the edit
JUDGES = 2  # identity networks that are asked by default
SECONDS = "seconds"
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
        return cls(names, faces, networks, [embedded(network.name, faces) for network in networks])


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
    *,
    workers: int | Workers = 1,
) -> Outcome:
    """All figures of one encoder.

    engine: with that encoder, as `Candidate.open` gives it. edits: attribute → strength. analysers: names of those
    that are asked how far an edit moved what it names. progress: told when it begins. workers: who does the work; of
    a number, so many processes, 1 being this one. Figures are the same whoever does it, but for seconds.
    Raises `WorkerLostError` where processes are killed again and again.
    """
    progress(candidate.title)
    shared, judges = SharedBackbone(engine), [judge.name for judge in people.judges]
    jobs = [EncoderJob(shared, face, judges, edits, analysers) for face in people.faces]
    found = share_work(workers, encode_person, jobs)
    values = {SECONDS: torch.tensor([one.seconds for one in found])}
    values |= _reconstruction(people, [one.bare for one in found])
    if any(one.whole for one in found):
        whole = _reconstruction(people, [one.whole or one.bare for one in found])
        values |= {f"{figure}, with detail": value for figure, value in whole.items()}
    apart = _apart(torch.stack([torch.tensor(one.code) for one in found]))
    for attribute, strength in edits.items():
        moved = _moved([one.edits[attribute] for one in found], apart)
        values |= {f"{attribute}{strength:+g}, {figure}": value for figure, value in moved.items()}
    return Outcome(candidate, values, [one.picture for one in found])


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


def _reconstruction(people: People, pictures: Sequence[Reconstructed]) -> dict[str, Tensor]:
    """Cosine to the photograph and whether the right person is the nearest, by each network; PSNR, MS-SSIM."""
    found: dict[str, Tensor] = {}
    for judge, known in zip(people.judges, people.embeddings, strict=True):
        cosines = embeddings_of(pictures, judge.name) @ known.T
        found[f"identity, {judge.name}"] = cosines.diagonal()
        found[f"right one nearest, {judge.name}"] = (cosines.argmax(1) == torch.arange(len(cosines))).float()
    return found | _columns([picture.figures for picture in pictures])


def _moved(edits: Sequence[Mapping[str, float]], apart: float) -> dict[str, Tensor]:
    """The figures of one edit of everybody. LEC, share: over the median distance of two people's codes, which spaces
    can be compared by. What analysers say of nobody is left out."""
    found: dict[str, Tensor] = {}
    for figure, values in _columns(edits).items():
        if not bool(values.isnan().all()):
            found[figure] = values
        if figure == LEC:
            found[f"{LEC}, share"] = values / apart
    return found


def _columns(rows: Sequence[Mapping[str, float]]) -> dict[str, Tensor]:
    """Figures of everybody, [n], by name."""
    return {figure: torch.tensor([row[figure] for row in rows]) for figure in rows[0]}


def _apart(codes: Tensor) -> float:
    """The median distance between two people's codes, [n, L·D]."""
    return float(statistics.median(torch.pdist(codes).tolist() or [float("nan")]))
