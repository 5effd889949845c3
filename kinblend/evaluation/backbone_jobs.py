"""What processes do for `evaluation.backbone`: a person's latent and pictures, and a few couples' children."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kinblend.evaluation.image_metrics import inside_face, ms_ssim, psnr
from kinblend.evaluation.processes import SharedBackbone, pack_latent, unpack_latent
from kinblend.faces import faces_in
from kinblend.identity import embed_faces
from kinblend.imaging import to_batch
from kinblend.types import Latent

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Array = NDArray[np.float32]

SIZE = 256  # side of the pictures that are compared, in pixels
TOGETHER = 8  # couples whose children are rendered together, whoever does it: rendered otherwise, pictures differ
STRENGTHS = (-3.0, -2.0, 2.0, 3.0)


@dataclass(frozen=True)
class Strategy:
    """A blender by name, with options. stochastic: whether its children depend on the seed."""

    name: str
    options: Mapping[str, Any]
    stochastic: bool


@dataclass(frozen=True)
class PersonJob:
    """Somebody to encode. face: their FFHQ-aligned crop."""

    shared: SharedBackbone
    face: Image


@dataclass(frozen=True)
class Rendered:
    """A person's picture: embedding [E], whether one face was found, and figures beside the photograph."""

    embedding: Array
    found: bool
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Person:
    """Somebody who was encoded.

    latent: as `pack_latent` has it. embedding: of the photograph, [E]. seconds: that encoding took. bare: the picture
    of the code. whole: with the detail; None where the latent has none.
    """

    latent: bytes
    embedding: Array
    seconds: float
    bare: Rendered
    whole: Rendered | None


@dataclass(frozen=True)
class CouplesJob:
    """A few couples, and by which strategies they get children.

    parents: latents of father and mother, as `pack_latent` has them. first: the number of the first couple, which is
    the seed of its child.
    """

    shared: SharedBackbone
    parents: Sequence[tuple[bytes, bytes]]
    first: int
    strategies: Sequence[Strategy]


@dataclass(frozen=True)
class Children:
    """One strategy's children of a few couples.

    embeddings: [n, E]. found: whether each is one face. siblings: distance between two children of each couple; empty
    where the seed changes nothing.
    """

    embeddings: Array
    found: Sequence[bool]
    siblings: Sequence[float]


@dataclass(frozen=True)
class EditsJob:
    """A few couples, as in `CouplesJob`, whose children are edited. attributes: of the default editor."""

    shared: SharedBackbone
    parents: Sequence[tuple[bytes, bytes]]
    attributes: Sequence[str]


@dataclass(frozen=True)
class Edited:
    """Children after one edit. moved: distance from the child before, of each. found: whether each is one face."""

    moved: Sequence[float]
    found: Sequence[bool]


def measure_person(job: PersonJob) -> Person:
    """Encode somebody, and compare pictures of the latent with the photograph."""
    backbone = job.shared.backbone
    _ = backbone.encoder  # opened before the clock starts
    started = time.perf_counter()
    [latent] = backbone.encode([job.face])
    seconds = time.perf_counter() - started
    bare = _rendered(job, Latent(latent.code, latent.space))
    whole = _rendered(job, latent) if latent.detail else None
    return Person(pack_latent(latent), embed_faces([job.face])[0].numpy(), seconds, bare, whole)


def _rendered(job: PersonJob, latent: Latent) -> Rendered:
    [picture] = job.shared.backbone.render([latent])
    ours, theirs = (to_batch([image], SIZE) / 2 + 0.5 for image in (picture, job.face))
    where = inside_face(SIZE)
    figures = {
        "psnr": psnr(ours, theirs, where),
        "ms_ssim": ms_ssim(ours * where, theirs * where),
        "sharpness": _sharpness(ours, where) / _sharpness(theirs, where),
        "contrast": _contrast(ours, where) / _contrast(theirs, where),
    }
    found = len(faces_in(picture)) == 1
    return Rendered(embed_faces([picture])[0].numpy(), found, {name: float(v) for name, v in figures.items()})


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


def make_children(job: CouplesJob) -> list[Children]:
    """Children of each strategy, in the order of `job.strategies`."""
    shared = job.shared
    couples = list(_parents(shared, job.parents))
    made = []
    for strategy in job.strategies:
        blender = shared.blender(strategy.name, strategy.options)

        def rendered(seeds: Sequence[int], blender: Any = blender) -> list[Image]:
            pairs = zip(couples, seeds, strict=True)
            latents = [shared.engine.blend(*parents, blender, seed).latent for parents, seed in pairs]
            return shared.backbone.render(latents)

        pictures = rendered(range(job.first, job.first + len(couples)))
        siblings: list[float] = []
        if strategy.stochastic:
            one, other = (embed_faces(rendered([seed] * len(couples))) for seed in (0, 1))
            siblings = (one - other).norm(dim=1).tolist()
        found = [len(faces_in(picture)) == 1 for picture in pictures]
        made.append(Children(embed_faces(pictures).numpy(), found, siblings))
    return made


def edit_children(job: EditsJob) -> dict[str, Edited]:
    """Children of the default strategy after each edit, by attribute and strength ("age +2")."""
    engine = job.shared.engine
    editor, blender = engine.editor(), engine.blender()
    children = [engine.blend(*parents, blender).latent for parents in _parents(job.shared, job.parents)]
    before = embed_faces(engine.backbone.render(children))
    edited = {}
    for attribute in job.attributes:
        for strength in STRENGTHS:
            pictures = engine.backbone.render(
                [engine.edit(child, editor, {attribute: strength}) for child in children]
            )
            moved = (embed_faces(pictures) - before).norm(dim=1)
            found = [len(faces_in(picture)) == 1 for picture in pictures]
            edited[f"{attribute} {strength:+g}"] = Edited(moved.tolist(), found)
    return edited


def _parents(shared: SharedBackbone, parents: Sequence[tuple[bytes, bytes]]) -> Iterator[tuple[Latent, Latent]]:
    space = shared.backbone.space
    for father, mother in parents:
        yield unpack_latent(father, space), unpack_latent(mother, space)


def embeddings_of(arrays: Sequence[Array]) -> Tensor:
    """Embeddings [n, E] of single ones."""
    return torch.stack([torch.tensor(one) for one in arrays])
