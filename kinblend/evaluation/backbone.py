"""How good is a backbone? Reconstructions, children and edits of people it never saw.

Distances are between dlib's embeddings: under 0.6 two pictures count as one person.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kinblend.errors import WeightsMissingError
from kinblend.evaluation.face_dataset import couples
from kinblend.evaluation.image_metrics import inside_face, ms_ssim, psnr
from kinblend.evaluation.retrieval import auc
from kinblend.faces import faces_in
from kinblend.identity import embed_faces
from kinblend.imaging import to_batch
from kinblend.interfaces import SamplesLatents
from kinblend.inversion import Whitening
from kinblend.pipeline import Engine
from kinblend.plugins import load_plugins
from kinblend.types import Latent

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.interfaces import Blender, Editor

SIZE = 256  # side of the pictures that are compared, in pixels
SAME_PERSON, SIBLINGS = 0.6, 0.25
EDITED = 50  # couples
SAMPLES = 20_000  # of w, that say where codes of samples lie
STRENGTHS = (-3.0, -2.0, 2.0, 3.0)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class People:
    """Who is measured with: their pictures, latents and embeddings [n, 128]."""

    faces: Sequence[Image]
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
) -> dict[str, Any]:
    """All figures. faces: FFHQ-aligned crops of different people. pairs: random couples; the edits are made on the
    children of the first 50. progress: told each part. strategies: whose children are looked at; by default all.
    with_edits: whether edits are measured, which takes longest.

    Keys of the reconstructions: identity_distance_median, rank1 (how often the right person is the nearest of all),
    same_person (distance up to 0.6), detection_rate, psnr and ms_ssim (medians, psnr inside the face, at 256 px),
    sharpness and contrast (inside the face, over the photograph's, medians), and where the generator can draw samples
    whitened (mean square of the whitened codes, median; samples have 1).
    """
    log = progress or (lambda _: None)
    log("encode")
    started = time.perf_counter()
    latents = engine.backbone.encode(faces)
    encoding = (time.perf_counter() - started) / len(faces)
    people = People(faces, latents, embed_faces(faces))
    log("reconstructions")
    bare = [Latent(latent.code, latent.space) for latent in latents]
    report: dict[str, Any] = {"backbone": str(engine.backbone.space), "people": len(faces), "pairs": pairs}
    report |= reconstruction(engine, people, bare)
    if any(latent.detail for latent in latents):
        report["with_detail"] = reconstruction(engine, people, latents)
    chosen = couples(len(faces), pairs)
    report["children"] = {}
    report["siblings"] = {}
    for spec in load_plugins()["blender"]:
        name = spec.name
        if strategies and name not in strategies:
            continue
        try:
            strategy = engine.blender(name, spec.variants.get(name))
        except WeightsMissingError as error:
            log(f"no children by {name}: {error}")
            continue
        log(f"children by {name}")
        report["children"][name] = children(engine, people, chosen, strategy)
        if strategy.stochastic:
            log(f"siblings by {name}")
            report["siblings"][name] = siblings(engine, people, chosen, strategy)
    if with_edits:
        report["edits"] = edits(engine, people, chosen[:EDITED], log)
    log("seconds")
    report["seconds"] = speed(engine, people) | {"encode_each_of_all": _rounded(encoding)}
    return report


def reconstruction(engine: Engine, people: People, latents: Sequence[Latent]) -> dict[str, float]:
    """Reconstruction quality: identity distance, rank 1, detection rate, PSNR, MS-SSIM, sharpness and contrast."""
    pictures = engine.backbone.render(latents)
    distances = torch.cdist(embed_faces(pictures), people.embeddings)
    own = distances.diagonal()
    ours, theirs = (to_batch(list(images), SIZE) / 2 + 0.5 for images in (pictures, people.faces))
    where = inside_face(SIZE).expand(len(ours), -1, -1, -1)
    return {
        "identity_distance_median": _rounded(own.median()),
        "same_person": _rounded((own <= SAME_PERSON).float().mean()),
        "rank1": _rounded((distances.argmin(1) == torch.arange(len(own))).float().mean()),
        "detection_rate": _share(len(faces_in(picture)) == 1 for picture in pictures),
        "psnr": _rounded(psnr(ours, theirs, where).median()),
        "ms_ssim": _rounded(ms_ssim(ours * where, theirs * where).median()),
        "sharpness": _rounded((_sharpness(ours, where) / _sharpness(theirs, where)).median()),
        "contrast": _rounded((_contrast(ours, where) / _contrast(theirs, where)).median()),
        **_whitened(engine, latents),
    }


def _sharpness(pictures: Tensor, where: Tensor) -> Tensor:
    """Mean absolute difference of neighbouring grey pixels inside the face, [n]."""
    grey = pictures.mean(1, keepdim=True)
    steps = (grey[..., 1:, 1:] - grey[..., :-1, :-1]).abs() * where[..., 1:, 1:]
    return steps.sum((1, 2, 3)) / where[..., 1:, 1:].sum((1, 2, 3))


def _contrast(pictures: Tensor, where: Tensor) -> Tensor:
    """Standard deviation of grey inside the face, [n]."""
    grey, size = pictures.mean(1, keepdim=True), where.sum((1, 2, 3))
    mean = (grey * where).sum((1, 2, 3)) / size
    return (((grey - mean[:, None, None, None]).square() * where).sum((1, 2, 3)) / size).sqrt()


def _whitened(engine: Engine, latents: Sequence[Latent]) -> dict[str, float]:
    """How far codes are from samples of the generator, where it draws any."""
    projector = engine.backbone.projector
    if not isinstance(projector, SamplesLatents):
        return {}
    w = projector.map(torch.randn(SAMPLES, projector.space.dim, generator=torch.Generator().manual_seed(0)))[:, 0]
    codes = torch.stack([latent.code for latent in latents]).mean(1)
    return {"whitened": _rounded(Whitening(projector.space.dim, w).to_u(codes).square().mean(1).median())}


def children(engine: Engine, people: People, pairs: Sequence[tuple[int, int]], strategy: Blender) -> dict[str, float]:
    """Children of one strategy: faces, and between their parents?"""
    pictures = engine.backbone.render(
        [
            engine.blend(people.latents[f], people.latents[m], strategy, seed).latent
            for seed, (f, m) in enumerate(pairs)
        ]
    )
    distances = torch.cdist(embed_faces(pictures), people.embeddings)
    strangers = distances.median(1).values
    rows = torch.arange(len(pairs))
    father, mother = (distances[rows, torch.tensor(side)] for side in zip(*pairs, strict=True))
    # The chance that a parent is nearer to the child than somebody else is.
    everyone = torch.arange(len(people.faces))
    beaten = [
        auc(-own, -distances, everyone != torch.tensor(side)[:, None])
        for own, side in zip((father, mother), zip(*pairs, strict=True), strict=True)
    ]
    return {
        "detection_rate": _share(len(faces_in(picture)) == 1 for picture in pictures),
        "auc": _rounded(torch.stack(beaten).mean()),
        "nearer_than_strangers": _rounded((torch.maximum(father, mother) < strangers).float().mean()),
        "distance_father_median": _rounded(father.median()),
        "distance_mother_median": _rounded(mother.median()),
        "distance_strangers_median": _rounded(strangers.median()),
    }


def siblings(engine: Engine, people: People, pairs: Sequence[tuple[int, int]], strategy: Blender) -> dict[str, float]:
    """Two children of each couple by a strategy that depends on the seed: do they differ?"""
    distances = []
    for f, m in pairs:
        children = [engine.blend(people.latents[f], people.latents[m], strategy, seed).latent for seed in (0, 1)]
        one, other = embed_faces(engine.backbone.render(children))
        distances.append(float((one - other).norm()))
    return {
        "distance_median": _rounded(statistics.median(distances)),
        "differ": _share(distance >= SIBLINGS for distance in distances),
    }


def edits(
    engine: Engine, people: People, pairs: Sequence[tuple[int, int]], log: Progress
) -> dict[str, dict[str, float]]:
    """Edited children of the default strategy: is it still one face, and how far from the child before?"""
    editor, strategy = engine.editor(), engine.blender()
    children = [engine.blend(people.latents[f], people.latents[m], strategy).latent for f, m in pairs]
    before = embed_faces(engine.backbone.render(children))
    report = {}
    for attribute in editor.attributes():
        log(f"edits of {attribute}")
        for strength in STRENGTHS:
            report[f"{attribute} {strength:+g}"] = _edited(engine, editor, children, before, {attribute: strength})
    return report


def _edited(
    engine: Engine, editor: Editor, children: Sequence[Latent], before: Tensor, strengths: Mapping[str, float]
) -> dict[str, float]:
    pictures = engine.backbone.render([engine.edit(child, editor, dict(strengths)) for child in children])
    moved = (embed_faces(pictures) - before).norm(dim=1)
    return {
        "detection_rate": _share(len(faces_in(picture)) == 1 for picture in pictures),
        "same_person": _rounded((moved <= SAME_PERSON).float().mean()),
        "distance_median": _rounded(moved.median()),
    }


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
