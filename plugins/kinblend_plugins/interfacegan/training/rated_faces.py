"""Rated faces → codes and attributes of one backbone, then directions: what the trainer `rated` does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save, save_file
from torch import Tensor

from kinblend import AlignedFace, Backbone, Context
from kinblend.errors import CorruptFileError, UnsupportedError
from kinblend.faces import predict_in_crop
from kinblend.files import atomic_write, file_sha256, replacing
from kinblend.tensor_files import SafetensorError, load_file, safe_open
from kinblend_plugins.interfacegan.editor import DirectionEditor
from kinblend_plugins.interfacegan.options import DirectionOptions
from kinblend_plugins.interfacegan.training.face_measurements import COLOURS, MEASURES, complexion, measure
from kinblend_plugins.interfacegan.training.own_ratings import open_pictures
from kinblend_plugins.interfacegan.training.rated_attributes import RatedFaces
from kinblend_plugins.interfacegan.training.rated_directions import Directions, Method, fit_directions
from kinblend_plugins.interfacegan.training.strips import folder_of, write_strips

SAVE_EVERY = 50  # faces
FEWEST = 50
EXAMPLES = 2  # faces in the pictures of what an attribute does
DIRECTIONS = "directions.safetensors"  # as a pack calls the file


def train_directions(
    backbone: Backbone,
    faces: RatedFaces,
    out: Path,
    method: Method = "mean",
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[str], None] | None = None,
    *,
    strips: bool = False,
) -> Directions:
    """Encode the faces, fit, and write `out`. Ended early, it goes on where it stopped when it is called again.

    strips: whether pictures of each attribute are written, into a folder of the name of `out`: of the mean face and
    of two others.

    progress: told how many of how many faces are encoded. log: told the figures of each attribute.
    Raises `UnsupportedError` for too few faces.
    """
    if len(faces.files) < FEWEST:
        raise UnsupportedError(f"{len(faces.files)} rated faces are too few; give at least {FEWEST}")
    codes, measured = _encode(backbone, faces, out.with_suffix(".part.safetensors"), progress)
    attributes = faces.attributes({name: measured[:, i].tolist() for i, name in enumerate(MEASURES)})
    found = fit_directions(codes, attributes, method, log, measured[:, len(MEASURES) :])
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(out, save(found.tensors, found.metadata))
    if strips:
        names = [attribute.name for attribute in attributes if not attribute.meaning.pose]
        examples = torch.stack([codes.mean(0), *codes[:EXAMPLES]])
        _draw(backbone, names, out, examples)
    out.with_suffix(".part.safetensors").unlink(missing_ok=True)
    return found


def _draw(backbone: Backbone, names: Sequence[str], out: Path, codes: Tensor) -> None:
    """A strip for each attribute, moved as the editor moves it."""
    editor = DirectionEditor(DirectionOptions.model_validate({}), Context(backbone.space, {DIRECTIONS: out}))
    write_strips(
        backbone,
        names,
        lambda name, code, strength: editor.edit(code[None], {name: strength})[0],
        codes,
        folder_of(out),
    )


def _encode(
    backbone: Backbone, faces: RatedFaces, part: Path, progress: Callable[[int, int], None] | None
) -> tuple[Tensor, Tensor]:
    """Codes [n, L, D], and measures with complexions [n, 11], kept in `part` on the way; it counts for this very
    backbone only."""
    numbers = len(MEASURES) + COLOURS
    listed = hashlib.sha256(repr((_fingerprint(faces), faces.files)).encode()).hexdigest()
    metadata = {"space": backbone.space.sha256, "faces": listed, "numbers": str(numbers)}
    codes, measured = _resume(part, metadata)
    with open_pictures(faces.archive) as picture_of:
        for file in faces.files[len(codes) :]:
            picture = picture_of(file)
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


def _fingerprint(faces: RatedFaces) -> str:
    """What tells these pictures from others."""
    if faces.archive.is_dir():
        return "".join(file_sha256(faces.archive / name) for name in faces.files)
    return file_sha256(faces.archive)


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
