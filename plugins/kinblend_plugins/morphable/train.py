"""Trains the morphable backbone: landmarks, mean shape, principal components, attribute directions.

Statistical shape and texture models after Cootes, Edwards and Taylor (1998); attribute directions by ridge
regression in the spirit of Blanz and Vetter (1999).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from kinblend import write_description
from kinblend_plugins.morphable import geometry
from kinblend_plugins.morphable.landmarks import predict
from kinblend_plugins.morphable.model import BANDS, DETAIL, DIM, Morphable, bands, unwarp

COMPONENTS = (136, 160, 256, 192)  # of each layer
REGRESSED = (48, 160, 96, 0)  # how many of each layer the attributes are regressed on
ATTRIBUTES = {"age": "age", "gender": "gender", "smile": "happy"}  # direction → column of the ratings
RIDGES = (30.0, 100.0, 300.0, 1000.0, 3000.0)


class TrainOptions(BaseModel):
    """Options of the trainer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faces: Path = Field(description="zip of FFHQ-aligned faces with an index.csv (file, split, omi_stimulus)")
    ratings: Path | None = Field(None, description="CSV of ratings by stimulus; without it no directions are made")
    workers: int = Field(2, ge=1, description="processes that find landmarks")


def train(options: TrainOptions, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Train on the `train` split and write the pack to `out`. progress: told each step. Returns `out`."""
    say = progress or (lambda _: None)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    index = [row for row in _index(options.faces) if row["split"] == "train"]
    names = [row["file"] for row in index]
    say(f"landmarks of {len(names)} faces")
    with get_context("spawn").Pool(options.workers) as pool:
        found = pool.starmap(_landmarks, [(options.faces, name) for name in names], chunksize=50)
    landmarks = torch.from_numpy(np.stack(found))
    tensors, codes = fit(options.faces, names, landmarks, say)
    _save(tensors, out / "generator.safetensors")
    files = ["generator.safetensors"]
    if options.ratings is not None:
        say("attribute directions")
        directions = _directions(codes, index, options.ratings, say)
        _save(directions, out / "directions.safetensors")
        files.append("directions.safetensors")
    write_description(out, _description(len(names)), files)
    return out


def fit(
    faces: Path, names: list[str], landmarks: Tensor, say: Callable[[str], None]
) -> tuple[dict[str, Tensor], Tensor]:
    """The model's tensors, and the codes of the faces, float32 [n, L, D]. landmarks: float64 [n, 68, 2]."""
    mean = landmarks.mean(0)
    outline = geometry.outline(mean)
    low, high = outline.amin(0), outline.amax(0)
    side = float((high - low).max()) * 1.06
    left, top = ((low + high) / 2 - side / 2).tolist()
    window = _window((outline - torch.tensor([left, top])) / side)
    say("textures")
    textures = _textures(faces, names, landmarks, geometry.control_points(mean), (left, top), side)
    average = textures.mean(0, keepdim=True)
    small = torch.nn.functional.interpolate(window[None, None].float() / 255, size=BANDS[-1], mode="area")
    textures.sub_(average).mul_(small).add_(average)
    tensors = {"frame": torch.tensor([left, top, side]), "window": window}
    layers = [landmarks.flatten(1).float(), *(band.flatten(1) for band in bands(textures))]
    for i, (vectors, count) in enumerate(zip(layers, COMPONENTS, strict=True)):
        say(f"components of layer {i}")
        tensors |= {f"{name}.{i}": tensor for name, tensor in _components(vectors, count, i > 0).items()}
    model = Morphable(tensors)
    codes = torch.stack([model.project(vectors, i) for i, vectors in enumerate(layers)], dim=1)
    return tensors, codes


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    """Write a safetensors file."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def _index(faces: Path) -> list[dict[str, str]]:
    with ZipFile(faces) as archive:
        return list(csv.DictReader(io.StringIO(archive.read("index.csv").decode())))


def _picture(archive: ZipFile, name: str) -> Image.Image:
    return Image.open(io.BytesIO(archive.read(name))).convert("RGB")


def _landmarks(faces: Path, name: str) -> Any:
    with ZipFile(faces) as archive:
        picture = _picture(archive, name)
    return (predict(np.asarray(picture)) + 0.5) / picture.width


def _textures(
    faces: Path, names: list[str], landmarks: Tensor, mean: Tensor, corner: tuple[float, float], side: float
) -> Tensor:
    """Shape-free textures, float32 [n, 3, B, B] at the size of the finest band."""
    size = BANDS[-1]
    textures = torch.empty(len(names), 3, size, size)
    with ZipFile(faces) as archive:
        for i, name in enumerate(names):
            pixels = torch.from_numpy(np.asarray(_picture(archive, name)).copy()).permute(2, 0, 1)[None]
            twice = unwarp(pixels.float() / 127.5 - 1, landmarks[i : i + 1], mean, corner, side, 2 * size)
            textures[i] = torch.nn.functional.avg_pool2d(twice, 2)[0]
    return textures


def _window(outline: Tensor) -> Tensor:
    """Where the face is, feathered inwards: uint8 [DETAIL, DETAIL]. outline: [m, 2] in the frame."""
    mask = Image.new("L", (DETAIL, DETAIL))
    ImageDraw.Draw(mask).polygon([(x * DETAIL, y * DETAIL) for x, y in outline.tolist()], fill=255)
    blurred = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.035 * DETAIL)), dtype=np.float64)
    return torch.from_numpy(np.clip(blurred * 2 - 255, 0, 255).round().astype(np.uint8))


def _components(vectors: Tensor, count: int, rounded: bool) -> dict[str, Tensor]:
    """Principal components by the eigenvectors of the smaller product. vectors: float32 [n, m]."""
    mean = vectors.mean(0)
    centred = vectors - mean
    n, m = centred.shape
    if m <= n:
        values, axes = torch.linalg.eigh(centred.double().T @ centred.double())
        basis = axes.flip(1)[:, :count].T
    else:
        values, axes = torch.linalg.eigh((centred @ centred.T).double())
        basis = axes.flip(1)[:, :count].float().T @ centred
        basis = (basis / basis.norm(dim=1, keepdim=True)).double()
    # The sign is arbitrary: the largest entry is made positive, so that training again gives the same signs.
    basis = basis * basis.gather(1, basis.abs().argmax(1, keepdim=True)).sign()
    spread = (values.flip(0)[:count].clamp_min(0) / n).sqrt().clamp_min(1e-4)
    if rounded:
        step = basis.abs().amax(1, keepdim=True) / 127
        basis, spread = (basis / step).round(), spread * step[:, 0]
    gain = torch.linalg.inv(basis @ basis.T)
    kept = basis.to(torch.int8) if rounded else basis.float()
    return {"mean": mean.float(), "basis": kept, "scale": spread.float(), "gain": gain.float()}


def _directions(
    codes: Tensor, index: list[dict[str, str]], ratings: Path, say: Callable[[str], None]
) -> dict[str, Tensor]:
    """Directions float32 [L, D], each of them one standard deviation of its attribute long."""
    with ratings.open(newline="") as file:
        rated = {row["stimulus"]: row for row in csv.DictReader(file)}
    rows = [i for i, row in enumerate(index) if row.get("omi_stimulus") in rated]
    used = torch.zeros(codes.shape[1:], dtype=torch.bool)
    for layer, count in enumerate(REGRESSED):
        used[layer, :count] = True
    x = codes[rows][:, used].double()
    directions = {}
    for name, column in ATTRIBUTES.items():
        y = torch.tensor([float(rated[index[i]["omi_stimulus"]][column]) for i in rows], dtype=torch.float64)
        y = (y - y.mean()) / y.std()
        ridge, fit_quality = max(((r, _held_out(x, y, r)) for r in RIDGES), key=lambda pair: pair[1])
        say(f"{name}: R² {fit_quality:.2f} on held-out faces")
        weights = _ridge(x, y, ridge)
        direction = torch.zeros(codes.shape[1:])
        direction[used] = (weights / weights.square().sum()).float()
        directions[name] = direction
    return directions


def _ridge(x: Tensor, y: Tensor, ridge: float) -> Tensor:
    centred = x - x.mean(0)
    return torch.linalg.solve(centred.T @ centred + ridge * torch.eye(x.shape[1]).to(x), centred.T @ (y - y.mean()))


def _held_out(x: Tensor, y: Tensor, ridge: float) -> float:
    """R² by five-fold cross-validation."""
    fold = torch.arange(len(y)) % 5
    error = torch.zeros_like(y)
    for k in range(5):
        a, b = fold != k, fold == k
        error[b] = y[b] - y[a].mean() - (x[b] - x[a].mean(0)) @ _ridge(x[a], y[a], ridge)
    return float(1 - error.square().sum() / (y - y.mean()).square().sum())


def _description(count: int) -> dict[str, Any]:
    return {
        "name": "morphable",
        "encoder": "morphable",
        "projector": "morphable",
        "layers": len(COMPONENTS),
        "dim": DIM,
        "resolution": 512,
        "generator": "generator.safetensors",
        "settings": {"components": list(COMPONENTS), "bands": list(BANDS), "detail": DETAIL},
        "summary": "Shape and texture components of faces; hair and surround come from one parent",
        "training_data": f"{count} synthetic faces (StyleGAN family); ratings of One Million Impressions",
        "licence": "non-commercial research (trained on CC BY-NC-SA 4.0 faces and others without clear terms)",
        "source": "kinblend train backbone morphable",
    }
