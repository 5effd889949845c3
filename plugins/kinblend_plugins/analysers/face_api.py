"""face-api (`@vladmandic/face-api` 1.7.15, MIT): age, gender and emotion, by two small networks read into PyTorch.

The weights are the user's own download, found as those of identity networks are: four files in the folder
`analysers/face-api` of kinblend's home. None of them is ever fetched here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from kinblend.checkpoints import build_network, home_folder, validate_tensors
from kinblend.errors import CheckpointError, ModelError
from kinblend.faces import predict_in_crop
from kinblend.files import open_plain
from kinblend_plugins.analysers.face_api_networks import EXPRESSIONS, AgeGender, Expression

SOURCE = "the npm package @vladmandic/face-api 1.7.15"
AGES, EMOTIONS = "age_gender_model", "face_expression_model"  # each a .bin and a …-weights_manifest.json
SIDE = 112  # pixels of what the networks see
MARGIN = 0.2  # of the landmarks' box, added on each side
MEAN = (122.782, 117.001, 104.298)  # of red, green and blue, taken away before the division by 255
LARGEST = 8 * 2**20  # bytes of a file
KINDS = {"uint8": np.uint8, "uint16": np.uint16, "float32": np.float32}


def analyse(crops: Sequence[Image.Image]) -> list[dict[str, Any]]:
    """Age, gender, the likeliest emotion, and as attributes how likely each emotion is, of each crop.

    Raises `ModelError` where the files are missing, `CheckpointError` where they hold something else.
    """
    networks = _networks(home_folder() / "analysers" / "face-api")
    return [networks.see(crop) for crop in crops]


class FaceApi:
    """Both networks. folder: where the four files are. Raises as `analyse` does."""

    def __init__(self, folder: Path) -> None:
        self.ages = build_network(AgeGender, _read(folder, AGES), "face-api", f"use {SOURCE}")
        self.emotions = build_network(Expression, _read(folder, EMOTIONS), "face-api", f"use {SOURCE}")

    @torch.inference_mode()
    def see(self, crop: Image.Image) -> dict[str, Any]:
        """What an analyser answers of one crop in FFHQ geometry."""
        face = (_face(crop) - torch.tensor(MEAN)[:, None, None]) / 255
        years, male = (float(value[0]) for value in self.ages(face))
        chances = self.emotions(face)[0].tolist()
        best = max(range(len(chances)), key=lambda at: chances[at])
        return {
            "age": years,
            "gender": "m" if male > 0.5 else "f",
            "gender_confidence": max(male, 1 - male),
            "emotion": EXPRESSIONS[best],
            "emotion_confidence": chances[best],
            "attributes": dict(zip(EXPRESSIONS, chances, strict=True)),
        }


@cache
def _networks(folder: Path) -> FaceApi:
    return FaceApi(folder)


def _face(crop: Image.Image) -> Tensor:
    """The box of the 68 landmarks and a margin, on a black square: [1, 3, 112, 112] in [0, 255]."""
    landmarks = np.asarray(predict_in_crop(crop))
    low, high = landmarks.min(0), landmarks.max(0)
    away = MARGIN * (high - low)
    left, top, right, bottom = (round(float(v)) for v in (*(low - away), *(high + away)))
    box = crop.convert("RGB").crop((left, top, right, bottom))
    square = Image.new("RGB", (max(box.size),) * 2)
    square.paste(box, ((square.width - box.width) // 2, (square.height - box.height) // 2))
    pixels = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()


def _read(folder: Path, model: str) -> dict[str, Tensor]:
    """A network's tensors by their names in it. Raises `ModelError`, `CheckpointError`."""
    names = (f"{model}-weights_manifest.json", f"{model}.bin")
    manifest, data = (_content(folder / name) for name in names)
    try:
        entries = [entry for group in json.loads(manifest) for entry in group["weights"]]
        found = {str(entry["name"]).replace("/", "."): tensor for entry, tensor in _tensors(entries, data)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{folder / names[0]} and {names[1]} do not fit together; use {SOURCE}") from error
    validate_tensors(folder / names[1], found)
    return found


def _content(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ModelError(
            f"the analyser face-api needs the file model/{path.name} of {SOURCE} as {path}; put it there"
        ) from error
    if len(data) > LARGEST:
        raise CheckpointError(f"{path} is larger than any file of face-api; use {SOURCE}")
    return data


def _tensors(entries: Sequence[dict[str, Any]], data: bytes) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """Each entry of a manifest with its tensor, which lie one after the other; convolutions as PyTorch has them.

    8-bit values have a scale and a smallest value. Raises `ValueError` where the data are of another length.
    """
    start = 0
    for entry in entries:
        quantised = entry.get("quantization")
        kind = np.dtype(KINDS[quantised["dtype"] if quantised else entry["dtype"]])
        shape = [int(side) for side in entry["shape"]]
        if not all(0 < side <= LARGEST for side in shape):
            raise ValueError(f"shape {shape}")
        count = math.prod(shape)
        values = np.frombuffer(data, kind, count, start).astype(np.float32).reshape(shape)
        if quantised:
            values = values * np.float32(quantised["scale"]) + np.float32(quantised["min"])
        start += count * kind.itemsize
        yield entry, _laid(torch.from_numpy(values.copy()), str(entry["name"]))
    if start != len(data):
        raise ValueError(f"{len(data)} bytes, of which {start} are named")


def _laid(tensor: Tensor, name: str) -> Tensor:
    """[height, width, inputs, outputs], or with depthwise filters [height, width, channels, 1], as PyTorch has it."""
    if tensor.ndim == 4:
        tensor = tensor.permute(2, 3, 0, 1) if "depthwise" in name else tensor.permute(3, 2, 0, 1)
    return tensor.contiguous()
