"""What processes do for `evaluation.encoders`: one person's latent, reconstructions and edits by one encoder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from kinblend.evaluation.image_metrics import inside_face, ms_ssim, psnr
from kinblend.evaluation.processes import SharedBackbone
from kinblend.evaluation.readings import ask_analyser
from kinblend.faces import faces_in
from kinblend.identity import load_identity
from kinblend.imaging import to_batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from kinblend.interfaces import Editor
    from kinblend.types import Latent

    Array = NDArray[np.float32]

SIZE = 256  # side of the pictures that are compared, in pixels
LEC, SEEN, NAN = "LEC", "face found", float("nan")


@dataclass(frozen=True)
class EncoderJob:
    """Somebody to encode.

    face: their crop in FFHQ geometry. judges: names of identity networks. edits: attribute → strength. analysers:
    names of those that are asked how far an edit moved what it names.
    """

    shared: SharedBackbone
    face: Image
    judges: Sequence[str]
    edits: Mapping[str, float]
    analysers: Sequence[str]


@dataclass(frozen=True)
class Reconstructed:
    """A picture of somebody. embeddings: by judge, of unit length, [E]. figures: beside the photograph."""

    embeddings: Mapping[str, Array]
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Encoded:
    """Somebody who was encoded.

    code: [L·D]. seconds: that it took; NaN for the first of a process, which warms up. picture: of the code.
    bare, whole: what is said of it and of the latent with its detail, None where there is none. edits: figures by
    attribute.
    """

    code: Array
    seconds: float
    picture: Image
    bare: Reconstructed
    whole: Reconstructed | None
    edits: Mapping[str, Mapping[str, float]]


def embedded(judge: str, pictures: Sequence[Image]) -> Tensor:
    """Unit embeddings of faces by an identity network, float32 [n, E]."""
    return normalize(load_identity(judge).embed_faces(pictures), dim=1)


def encode_person(job: EncoderJob) -> Encoded:
    """Encode somebody, and look at the reconstruction and at each edit."""
    backbone = job.shared.backbone
    _ = backbone.encoder
    started = time.perf_counter()
    [latent] = backbone.encode([job.face])
    seconds = time.perf_counter() - started if job.shared.warm else NAN
    job.shared.warm = True
    picture = _rendered(job, latent)
    whole = _reconstructed(job, backbone.render([latent])[0]) if latent.detail else None
    editor = job.shared.engine.editor() if job.edits else None
    edits = {
        attribute: _edited(job, editor, latent, picture, attribute, strength)
        for attribute, strength in job.edits.items()
        if editor is not None
    }
    return Encoded(latent.code.flatten().numpy(), seconds, picture, _reconstructed(job, picture), whole, edits)


def _rendered(job: EncoderJob, latent: Latent) -> Image:
    """The picture of the code alone."""
    [picture] = job.shared.backbone.render([replace(latent, detail={})])
    return picture


def _reconstructed(job: EncoderJob, picture: Image) -> Reconstructed:
    figures = {**_alike(picture, job.face), SEEN: float(len(faces_in(picture)) == 1)}
    return Reconstructed({judge: embedded(judge, [picture])[0].numpy() for judge in job.judges}, figures)


def _alike(ours: Image, theirs: Image) -> dict[str, float]:
    """PSNR in dB and MS-SSIM inside the face, at 256 px."""
    one, other = (to_batch([image], SIZE) / 2 + 0.5 for image in (ours, theirs))
    where = inside_face(SIZE)
    return {"PSNR": float(psnr(one, other, where)), "MS-SSIM": float(ms_ssim(one * where, other * where))}


def _edited(
    job: EncoderJob, editor: Editor, latent: Latent, picture: Image, attribute: str, strength: float
) -> dict[str, float]:
    """LEC: how far the code is from the first after the edit, another encoding and the edit back, ‖·‖₂, as Tov et
    al. have it. LEC identity, LEC PSNR: of the last picture, beside the first reconstruction. identity kept: cosine
    of the edited picture to that. By analysers: what of the attribute's name they saw change; NaN where they say
    nothing."""
    engine = job.shared.engine
    edited = _rendered(job, engine.edit(latent, editor, {attribute: strength}))
    [again] = engine.backbone.encode([edited])
    back = engine.edit(again, editor, {attribute: -strength})
    last = _rendered(job, back)
    found = {LEC: float((back.code - latent.code).norm())}
    for judge in job.judges:
        own, there, after = embedded(judge, [picture, edited, last])
        found[f"LEC identity, {judge}"] = float(after @ own)
        found[f"identity kept, {judge}"] = float(there @ own)
    found["LEC PSNR"] = _alike(last, picture)["PSNR"]
    for name in job.analysers:
        before, now = (one.numbers.get(attribute, NAN) for one in ask_analyser(name, [picture, edited]))
        found[f"{attribute} by {name}"] = now - before
    return found


def embeddings_of(pictures: Sequence[Reconstructed], judge: str) -> Tensor:
    """Embeddings [n, E] by one of the judges."""
    return torch.stack([torch.tensor(picture.embeddings[judge]) for picture in pictures])
