"""How good is a backbone? Reconstructions, children and edits of people it never saw.

Distances are between dlib's embeddings: under 0.6 two pictures count as one person.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kinblend.errors import WeightsMissingError
from kinblend.evaluation.backbone_jobs import (
    SIZE,
    TOGETHER,
    CouplesJob,
    EditsJob,
    Person,
    PersonJob,
    Rendered,
    Strategy,
    edit_children,
    embeddings_of,
    make_children,
    measure_person,
)
from kinblend.evaluation.face_dataset import couples
from kinblend.evaluation.processes import SharedBackbone, share_work, unpack_latent
from kinblend.evaluation.retrieval import auc
from kinblend.interfaces import SamplesLatents
from kinblend.inversion import Whitening
from kinblend.pipeline import Engine
from kinblend.plugins import load_plugins
from kinblend.workers import Workers, opened_workers

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.types import Latent

SAME_PERSON, SIBLINGS = 0.6, 0.25
EDITED = 50  # couples
SAMPLES = 20_000  # of w, that say where codes of samples lie

Progress = Callable[[str], None]


@dataclass(frozen=True)
class People:
    """Who is measured with: what was made of each, their latents, and embeddings of their photographs [n, E]."""

    people: Sequence[Person]
    latents: Sequence[Latent]
    embeddings: Tensor


def evaluate(
    engine: Engine,
    faces: Sequence[Image],
    pairs: int = 200,
    progress: Progress | None = None,
    *,
    strategies: Sequence[str] = (),
    with_edits: bool = True,
    workers: int | Workers = 1,
    note: Progress | None = None,
) -> dict[str, Any]:
    """All figures. faces: FFHQ-aligned crops of different people. pairs: random couples; the edits are made on the
    children of the first 50. progress: told each part. strategies: whose children are looked at; by default all.
    with_edits: whether edits are measured, which takes longest. workers: who does the work; of a number, so many
    processes, 1 being this one. Figures are the same whoever does it, but for seconds. note: told which strategies
    have no children.

    Keys of the reconstructions: identity_distance_median, rank1 (how often the right person is the nearest of all),
    same_person (distance up to 0.6), detection_rate, psnr and ms_ssim (medians, psnr inside the face, at 256 px),
    sharpness and contrast (inside the face, over the photograph's, medians), and where the generator can draw samples
    whitened (mean square of the whitened codes, median; samples have 1). Seconds are of one process.
    Raises `WorkerLostError` where processes are killed again and again.
    """
    log = progress or (lambda _: None)
    shared = SharedBackbone(engine)
    chosen = couples(len(faces), pairs)
    wanted = _strategies(engine, strategies, note or (lambda _: None))
    report: dict[str, Any] = {"backbone": str(engine.backbone.space), "people": len(faces), "pairs": pairs}
    with opened_workers(workers, max(len(faces), -(-pairs // TOGETHER))) as crew:
        log("people")
        people = encode_people(shared, crew, faces)
        report |= reconstruction(engine, people, [person.bare for person in people.people])
        if any(person.whole for person in people.people):
            shown = [person.whole or person.bare for person in people.people]
            report["with_detail"] = reconstruction(engine, people, shown)
        log("children")
        report |= children(shared, crew, people, chosen, wanted)
        if with_edits:
            log("edits")
            report["edits"] = edits(shared, crew, people, chosen[:EDITED])
    log("seconds")
    encoding = statistics.median(person.seconds for person in people.people)
    report["seconds"] = speed(engine, people) | {"encode_each_of_all": _rounded(encoding)}
    return report


def _strategies(engine: Engine, only: Sequence[str], note: Progress) -> list[Strategy]:
    """Those of the registered strategies that the backbone has weights for."""
    found = []
    for spec in load_plugins()["blender"]:
        if only and spec.name not in only:
            continue
        options = spec.variants.get(spec.name, {})
        try:
            blender = engine.blender(spec.name, options)
        except WeightsMissingError as error:
            note(f"no children by {spec.name}: {error}")
            continue
        found.append(Strategy(spec.name, options, blender.stochastic))
    return found


def encode_people(shared: SharedBackbone, crew: int | Workers, faces: Sequence[Image]) -> People:
    """Encode everybody, and look at their pictures. crew: as `share_work` takes it."""
    people = share_work(crew, measure_person, [PersonJob(shared, face) for face in faces])
    space = shared.backbone.space
    latents = [unpack_latent(person.latent, space) for person in people]
    return People(people, latents, embeddings_of([person.embedding for person in people]))


def reconstruction(engine: Engine, people: People, pictures: Sequence[Rendered]) -> dict[str, float]:
    """Reconstruction quality: identity distance, rank 1, detection rate, PSNR, MS-SSIM, sharpness and contrast.

    pictures: of each of the people.
    """
    distances = torch.cdist(embeddings_of([picture.embedding for picture in pictures]), people.embeddings)
    own = distances.diagonal()
    return {
        "identity_distance_median": _rounded(own.median()),
        "same_person": _rounded((own <= SAME_PERSON).float().mean()),
        "rank1": _rounded((distances.argmin(1) == torch.arange(len(own))).float().mean()),
        "detection_rate": _share(picture.found for picture in pictures),
        **{
            figure: _rounded(torch.tensor([picture.figures[figure] for picture in pictures]).median())
            for figure in ("psnr", "ms_ssim", "sharpness", "contrast")
        },
        **_whitened(engine, people.latents),
    }


def _whitened(engine: Engine, latents: Sequence[Latent]) -> dict[str, float]:
    """How far codes are from samples of the generator, where it draws any."""
    projector = engine.backbone.projector
    if not isinstance(projector, SamplesLatents):
        return {}
    w = projector.map(torch.randn(SAMPLES, projector.space.dim, generator=torch.Generator().manual_seed(0)))[:, 0]
    codes = torch.stack([latent.code for latent in latents]).mean(1)
    return {"whitened": _rounded(Whitening(projector.space.dim, w).to_u(codes).square().mean(1).median())}


def children(
    shared: SharedBackbone,
    crew: int | Workers,
    people: People,
    pairs: Sequence[tuple[int, int]],
    strategies: Sequence[Strategy],
) -> dict[str, dict[str, dict[str, float]]]:
    """Children of each strategy, by its name: "children", and where they depend on the seed "siblings"."""
    jobs = [CouplesJob(shared, parents, first, strategies) for first, parents in _together(people, pairs)]
    done = share_work(crew, make_children, jobs)
    report: dict[str, dict[str, dict[str, float]]] = {"children": {}, "siblings": {}}
    for strategy, made in zip(strategies, zip(*done, strict=True), strict=True):
        embeddings = torch.cat([torch.tensor(some.embeddings) for some in made])
        found = [one for some in made for one in some.found]
        report["children"][strategy.name] = _children(people, pairs, embeddings, found)
        if strategy.stochastic:
            report["siblings"][strategy.name] = _siblings([one for some in made for one in some.siblings])
    return report


def _together(people: People, pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, list[tuple[bytes, bytes]]]]:
    """A few couples at a time: the number of the first, and their latents."""
    for first in range(0, len(pairs), TOGETHER):
        some = pairs[first : first + TOGETHER]
        yield first, [(people.people[father].latent, people.people[mother].latent) for father, mother in some]


def _children(
    people: People, pairs: Sequence[tuple[int, int]], embeddings: Tensor, found: Sequence[bool]
) -> dict[str, float]:
    """Children of one strategy: faces, and between their parents? embeddings: theirs, [n, E]."""
    distances = torch.cdist(embeddings, people.embeddings)
    strangers = distances.median(1).values
    rows = torch.arange(len(pairs))
    father, mother = (distances[rows, torch.tensor(side)] for side in zip(*pairs, strict=True))
    # The chance that a parent is nearer to the child than somebody else is.
    everyone = torch.arange(len(people.people))
    beaten = [
        auc(-own, -distances, everyone != torch.tensor(side)[:, None])
        for own, side in zip((father, mother), zip(*pairs, strict=True), strict=True)
    ]
    return {
        "detection_rate": _share(found),
        "auc": _rounded(torch.stack(beaten).mean()),
        "nearer_than_strangers": _rounded((torch.maximum(father, mother) < strangers).float().mean()),
        "distance_father_median": _rounded(father.median()),
        "distance_mother_median": _rounded(mother.median()),
        "distance_strangers_median": _rounded(strangers.median()),
    }


def _siblings(distances: Sequence[float]) -> dict[str, float]:
    """Two children of each couple by a strategy that depends on the seed: do they differ?"""
    return {
        "distance_median": _rounded(statistics.median(distances)),
        "differ": _share(distance >= SIBLINGS for distance in distances),
    }


def edits(
    shared: SharedBackbone, crew: int | Workers, people: People, pairs: Sequence[tuple[int, int]]
) -> dict[str, dict[str, float]]:
    """Edited children of the default strategy: is it still one face, and how far from the child before?"""
    attributes = list(shared.engine.editor().attributes())
    jobs = [EditsJob(shared, parents, attributes) for _, parents in _together(people, pairs)]
    done = share_work(crew, edit_children, jobs)
    report = {}
    for title in done[0]:
        moved = torch.tensor([one for some in done for one in some[title].moved])
        report[title] = {
            "detection_rate": _share(one for some in done for one in some[title].found),
            "same_person": _rounded((moved <= SAME_PERSON).float().mean()),
            "distance_median": _rounded(moved.median()),
        }
    return report


def speed(engine: Engine, people: People) -> dict[str, float]:
    """Seconds of a child from two latents: one at a time, and each of 32 rendered together. Medians, after one to
    warm up."""
    father, mother, strategy = people.latents[0], people.latents[1], engine.blender()
    full = engine.backbone.projector.resolution

    def children(count: int, size: int) -> None:
        latents = [engine.blend(father, mother, strategy, seed).latent for seed in range(count)]
        engine.backbone.render(latents, size=size)

    report = {}
    for size in (SIZE, full):
        report[f"one_{size}"] = _median_seconds(partial(children, 1, size), 7)
        report[f"each_of_32_{size}"] = _rounded(_median_seconds(partial(children, 32, size), 3) / 32)
    return report


def _median_seconds(work: Callable[[], object], times: int) -> float:
    work()
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return _rounded(statistics.median(seconds))


def _share(outcomes: Iterable[bool]) -> float:
    values = list(outcomes)
    return _rounded(sum(values) / len(values))


def _rounded(value: float | Tensor) -> float:
    return round(float(value), 4)
