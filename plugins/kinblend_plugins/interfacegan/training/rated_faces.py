"""Rated faces → codes and attributes of one backbone, then directions: what the trainer `rated` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save, save_file
from torch import Tensor

from kinblend import AlignedFace, Backbone
from kinblend.errors import CorruptFileError, UnsupportedError
from kinblend.faces import predict_in_crop
from kinblend.files import atomic_write, file_sha256, replacing
from kinblend.packs import open_archive
from kinblend.tensor_files import SafetensorError, load_file, safe_open
from kinblend_plugins.interfacegan.training.face_measurements import COLOURS, MEASURES, complexion, measure
from kinblend_plugins.interfacegan.training.rated_attributes import ATTRIBUTE_SPECS, Attribute, RatedFaces
from kinblend_plugins.interfacegan.training.rated_directions import Directions, Method, fit_directions

SAVE_EVERY = 50  # faces
FEWEST = 50


def train_directions(
    backbone: Backbone,
    faces: RatedFaces,
    out: Path,
    method: Method = "mean",
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[str], None] | None = None,
) -> Directions:
    """Encode the faces, fit, and write `out`. Ended early, it goes on where it stopped when it is called again.

    progress: told how many of how many faces are encoded. log: told the figures of each attribute.
    Raises `UnsupportedError` for too few faces.
    """
    if len(faces.files) < FEWEST:
        raise UnsupportedError(f"{len(faces.files)} rated faces are too few; give at least {FEWEST}")
    codes, measured = _encode(backbone, faces, out.with_suffix(".part.safetensors"), progress)
    values = dict(faces.ratings) | {name: measured[:, i].tolist() for i, name in enumerate(MEASURES)}
    attributes = [
        Attribute(name, values[name], meaning) for name, meaning in ATTRIBUTE_SPECS.items() if name in values
    ]
    found = fit_directions(codes, attributes, method, log, measured[:, len(MEASURES) :])
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, save(found.tensors, found.metadata))
    out.with_suffix(".part.safetensors").unlink(missing_ok=True)
    return found


def _encode(
    backbone: Backbone, faces: RatedFaces, part: Path, progress: Callable[[int, int], None] | None
) -> tuple[Tensor, Tensor]:
    """Codes [n, L, D], and measures with complexions [n, 11], kept in `part` on the way; it counts for this very
    backbone only."""
    numbers = len(MEASURES) + COLOURS
    listed = hashlib.sha256(repr((file_sha256(faces.archive), faces.files)).encode()).hexdigest()
    metadata = {"space": backbone.space.sha256, "faces": listed, "numbers": str(numbers)}
    codes, measured = _resume(part, metadata)
    with open_archive(faces.archive) as archive:
        for file in faces.files[len(codes) :]:
            picture = archive.picture(file)
            landmarks = predict_in_crop(picture)
            face, found = AlignedFace(picture, landmarks), measure(picture, landmarks)
            codes.append(backbone.encode([face])[0].code)
            measures = [found[name] for name in MEASURES]
            measured.append(torch.tensor([*measures, *complexion(picture, landmarks)], dtype=torch.float64))
            if len(codes) % SAVE_EVERY == 0:
                _keep(part, {"codes": torch.stack(codes), "measured": torch.stack(measured)}, metadata)
            if progress is not None:
                progress(len(codes), len(faces.files))
    return torch.stack(codes), torch.stack(measured)


def _keep(part: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    with replacing(part) as target:
        save_file(tensors, target, metadata)


def _resume(part: Path, metadata: dict[str, str]) -> tuple[list[Tensor], list[Tensor]]:
    if not part.is_file():
        return [], []
    try:
        with safe_open(str(part), framework="pt") as file:
            if file.metadata() != metadata:
                return [], []
        tensors = load_file(part)
    except (CorruptFileError, SafetensorError):
        return [], []
    return list(tensors["codes"]), list(tensors["measured"])
