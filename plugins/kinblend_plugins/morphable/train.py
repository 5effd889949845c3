"""Trains the morphable backbone: mean shape, bare textures, principal components.

Statistical shape and texture models after Cootes, Edwards and Taylor (1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from kinblend.errors import InputError
from kinblend.files import replacing
from kinblend.packs import open_archive, write_description
from kinblend_plugins.morphable import geometry, regions, residual_gain, skin
from kinblend_plugins.morphable.components import components, stored
from kinblend_plugins.morphable.landmarks import find_shape
from kinblend_plugins.morphable.model import BANDS, DETAIL, DIM, Morphable, bands, resize, unwarp

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPE, COARSE = 126, 256  # components of the layers 0 and 1
PARTS = {64: (176, 80, 96, 64, 96), 144: (192, 96, 112, 32, 80)}  # band → components of each of regions.NAMES
BATCH = 64
WORKING = 192  # px of the textures that are trained on, about as many as the faces have


class TrainOptions(BaseModel):
    """Options of the trainer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faces: Path = Field(description="zip of FFHQ-aligned faces with an index.csv (file, split)")
    workers: int = Field(2, ge=1, description="processes that find landmarks")


def train(options: TrainOptions, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Train on the `train` split and write the pack to `out`. progress: told each step. Returns `out`.

    Raises `InputError` where `faces` is no such archive.
    """
    log = progress or (lambda _: None)
    out = Path(out)
    names = [row["file"] for row in read_index(options.faces) if row.get("split") == "train"]
    if len(names) < 2:
        raise InputError(f"{options.faces}: its index.csv names no faces of the split 'train'")
    out.mkdir(parents=True, exist_ok=True)
    with get_context("spawn").Pool(options.workers, _one_thread) as pool:
        log(f"landmarks of {len(names)} faces")
        found = pool.starmap(_shape, [(options.faces, name) for name in names], chunksize=50)
        shapes = torch.from_numpy(np.stack(found))
        frame = _frame(options.faces, shapes)
        log("textures")
        jobs = [(frame, name, shape) for name, shape in zip(names, shapes.numpy(), strict=True)]
        textures = pool.starmap(_bands, jobs, chunksize=50)
    tensors = fit(frame, shapes, textures, log)
    _save(tensors, out / "generator.safetensors")
    log("the residual's strength")
    _save(fit_detail(Morphable(tensors), shapes, textures), out / "detail.safetensors")
    write_description(out, _description(len(names)), ["generator.safetensors", "detail.safetensors"])
    return out


def fit(
    frame: _Frame, shapes: Tensor, textures: Sequence[Sequence[NDArray[Any]]], log: Callable[[str], None]
) -> dict[str, Tensor]:
    """The model's tensors. shapes: float64 [n, 63, 2], in units of the crops' side. textures: bands of each face."""
    log("components of the shape")
    corner = torch.tensor(frame.corner)
    tensors = {"frame": torch.tensor([*frame.corner, frame.side]), "window": frame.window}
    tensors |= {"mean.0": frame.mean.flatten().float(), **_shape_layer(shapes, frame.mean)}
    for layer, size in enumerate(BANDS, start=1):
        log(f"components of the textures at {size} px")
        band = torch.from_numpy(np.stack([face[layer - 1] for face in textures])).float()
        tensors |= _texture_layer(layer, band, (frame.mean - corner) / frame.side)
    return tensors


def fit_detail(model: Morphable, shapes: Tensor, textures: Sequence[Sequence[NDArray[Any]]]) -> dict[str, Tensor]:
    """The tensors of `residual_gain.ResidualGain`, from what the codes of the faces leave of their finest bands."""
    codes, logs = [], []
    for start in range(0, len(shapes), BATCH):
        faces = textures[start : start + BATCH]
        parts = [torch.from_numpy(np.stack(band)).float() for band in zip(*faces, strict=True)]
        vectors = [shapes[start : start + BATCH].flatten(1).float(), *parts]
        found = torch.stack([model.project(vector, layer) for layer, vector in enumerate(vectors)], dim=1)
        codes.append(found)
        logs.append(residual_gain.amplitudes(parts[-1] - model.decode(found, len(BANDS))))
    return residual_gain.fit(torch.cat(codes), torch.cat(logs))


def _frame(faces: Path, shapes: Tensor) -> _Frame:
    mean = shapes.mean(0)
    mean = (mean + geometry.mirrored(mean)) / 2
    outline = geometry.outline(mean)
    low, high = outline.amin(0), outline.amax(0)
    side = float((high - low).max()) * 1.06
    corner = (low + high) / 2 - side / 2
    inside = (mean - corner) / side
    place = (float(corner[0]), float(corner[1]))
    window = _window((outline - corner) / side)
    return _Frame(faces, mean, place, side, window, skin.sure(inside), skin.forehead(inside))


def _shape_layer(shapes: Tensor, mean: Tensor) -> dict[str, Tensor]:
    def mirror(moves: Tensor) -> Tensor:
        return geometry.mirrored(mean + moves) - mean

    found = stored(*components(shapes - mean, SHAPE, mirror), rounded=False)
    return {f"{name}.0.0": tensor.float() for name, tensor in found.items()}


def _texture_layer(layer: int, textures: Tensor, points: Tensor) -> dict[str, Tensor]:
    """The tensors of one band, float32 [n, 3, B, B], which is changed."""
    size = textures.shape[-1]
    mean = textures.mean(0)
    mean = (mean + mean.flip(-1)) / 2
    textures -= mean
    tensors = {f"mean.{layer}": mean}
    if size in PARTS:
        windows, counts = regions.windows(points, size), tuple(PARTS[size])
    else:
        windows, counts = torch.ones(1, size, size), (COARSE,)
    for number, (window, count) in enumerate(zip(windows, counts, strict=True)):
        top, bottom, left, right = box = regions.box(window)
        part = textures[:, :, top:bottom, left:right] * window[top:bottom, left:right]
        basis, deviations = components(part, count, lambda v: v.flip(-1))
        found = stored(basis, deviations, True)
        found |= {"box": torch.tensor(box, dtype=torch.int32), "window": window[top:bottom, left:right].clone()}
        tensors |= {f"{name}.{layer}.{number}": tensor for name, tensor in found.items()}
    return tensors


@dataclass(frozen=True)
class _Frame:
    """What a worker needs to make textures.

    faces: the archive. mean: the mean shape, float64 [63, 2]. corner, side: of the frame. window: where the face is
    in it, uint8 [DETAIL, DETAIL]. sure, forehead: as `skin` gives them.
    """

    faces: Path
    mean: Tensor
    corner: tuple[float, float]
    side: float
    window: Tensor
    sure: Tensor
    forehead: Tensor


def _bands(frame: _Frame, name: str, shape: NDArray[Any]) -> list[NDArray[Any]]:
    """The bands of one face's shape-free texture with a bare forehead, grey outside the face: float16 [3, B, B]."""
    with open_archive(frame.faces) as archive:
        pixels = torch.from_numpy(np.array(archive.picture(name))).permute(2, 0, 1)[None].float() / 127.5 - 1
    points = geometry.control_points(frame.mean)
    texture = unwarp(pixels, torch.from_numpy(shape)[None], points, frame.corner, frame.side, WORKING)
    texture, _ = skin.bare(texture, skin.skin_colour(texture, frame.sure), frame.forehead)
    window = resize(frame.window[None, None].float() / 255, WORKING)
    return [band[0].half().numpy() for band in bands(texture * window)]


def _one_thread() -> None:
    torch.set_num_threads(1)


def read_index(faces: Path) -> list[dict[str, str]]:
    """The rows of an archive's index.csv. Raises `InputError`."""
    with open_archive(faces) as archive:
        return archive.rows()


def _shape(faces: Path, name: str) -> NDArray[Any]:
    with open_archive(faces) as archive:
        return find_shape(archive.picture(name)).numpy()


def _window(outline: Tensor) -> Tensor:
    """Where the face is, feathered inwards: uint8 [DETAIL, DETAIL]. outline: [m, 2] in the frame."""
    mask = Image.new("L", (DETAIL, DETAIL))
    ImageDraw.Draw(mask).polygon([(x * DETAIL, y * DETAIL) for x, y in outline.tolist()], fill=255)
    blurred = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.035 * DETAIL)), dtype=np.float64)
    window = np.clip(blurred * 2 - 255, 0, 255)
    return torch.from_numpy(((window + window[:, ::-1]) / 2).round().astype(np.uint8))


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    from safetensors.torch import save_file

    with replacing(path) as part:
        save_file({name: tensor.contiguous() for name, tensor in sorted(tensors.items())}, part)


def _description(count: int) -> dict[str, Any]:
    return {
        "name": "morphable",
        "encoder": "morphable",
        "projector": "morphable",
        "layers": 1 + len(BANDS),
        "dim": DIM,
        "resolution": 512,
        "generator": "generator.safetensors",
        "settings": {"bands": list(BANDS), "parts": list(regions.NAMES), "detail": DETAIL},
        "summary": "Shape and texture components of faces; hair and background come from one parent",
        "training_data": f"generator: {count} synthetic faces (StyleGAN family) and their mirror images",
        "licence": "non-commercial research (trained on CC BY-NC-SA 4.0 faces and others without clear terms)",
        "source": "kinblend train backbone morphable",
    }
