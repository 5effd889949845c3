"""The linear model: codes ↔ shape and shape-free texture.

Texture lies in the mean shape's frame, a square that holds the face, in three Laplacian bands (Burt and
Adelson 1983) from coarse to fine. Layer 0 of a code holds the whitened principal components of the shape, each
further layer those of one band; the finer bands have components for each part of the face.
After Cootes, Edwards and Taylor, Active Appearance Models (1998), and Blanz and Vetter (1999).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend.errors import PackError
from kinblend_plugins.morphable import geometry, regions

BANDS = (24, 64, 144)  # side of each band's raster, in pixels
DETAIL = 448  # side of the residual texture that goes with a photograph of 512 px
PLACES = 112  # px of the frame's side at which parts are told apart
DIM = 512
LAYERS = 1 + len(BANDS)


def bands(texture: Tensor) -> list[Tensor]:
    """Laplacian bands of a texture: float32 [n, 3, S, S] → one [n, 3, B, B] for each of BANDS."""
    levels = [resize(texture, size) for size in BANDS]
    return [levels[0], *(fine - resize(coarse, fine.shape[-1]) for coarse, fine in pairwise(levels))]


def assemble(parts: list[Tensor]) -> Tensor:
    """The texture those bands make, at the size of the finest."""
    texture = parts[0]
    for part in parts[1:]:
        texture = resize(texture, part.shape[-1]) + part
    return texture


def resize(picture: Tensor, size: int) -> Tensor:
    """Square pictures [n, c, S, S] at another size, antialiased when smaller."""
    if picture.shape[-1] == size:
        return picture
    return F.interpolate(picture, size=(size, size), mode="bilinear", antialias=size < picture.shape[-1])


@dataclass(frozen=True)
class Part:
    """Where the components of one part of a face are.

    layer: of the code. first, end: its dimensions there. name: of the buffer with its basis.
    box: top, bottom, left, right of what they cover in the band's raster; None where they are the whole vector.
    """

    layer: int
    first: int
    end: int
    name: str
    box: tuple[int, int, int, int] | None


class Morphable(nn.Module):
    """Codes to shape and texture, and back.

    tensors: of `generator.safetensors`. `mean.i` of each layer i: float [63·2] or [3, B, B]. For each part p of the
        layer: `basis.i.p` [k, m], int8 for textures, and `scale.i.p` float [k], whose product is the components times
        their standard deviation; `gain.i.p` float [k, k], the inverse of the basis' Gram matrix, makes up for its
        rounding; and for textures `box.i.p` int [4] and `window.i.p` float [h, w], the part's place and its window
        there. `frame` float [3]: left, top and side of the texture's square. `window` uint8 [DETAIL, DETAIL]: where
        the face is, 0 to 255.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.parts = _parts(tensors)
        for part in self.parts:
            self.register_buffer(part.name, tensors[f"basis.{part.name[6:].replace('_', '.')}"])
        # Kept out of the buffers: these stay float32 whatever precision a device pool chooses.
        self.means = [tensors[f"mean.{i}"].float() for i in range(LAYERS)]
        self.extras = {part.name: _extras(tensors, part) for part in self.parts}
        left, top, self.side = tensors["frame"].double().tolist()
        self.corner = (left, top)
        self.window = (tensors["window"].float() / 255)[None, None]
        self.mean_shape = self.means[0].double().view(geometry.POINTS, 2)
        self.mean_points = geometry.control_points(self.mean_shape)
        self.part_windows = regions.windows((self.mean_shape - torch.tensor(self.corner)) / self.side, PLACES)

    @classmethod
    def load(cls, path: Path) -> Morphable:
        """From `generator.safetensors`. Raises `PackError` where that is another generator's."""
        from kinblend.tensor_files import load_file

        tensors = load_file(path)
        if not {"frame", "window", "mean.0"} <= set(tensors):
            raise PackError(f"{path.name} of this pack holds no morphable model")
        return cls(tensors)

    @property
    def device(self) -> torch.device:
        """Where its components are."""
        return cast(Tensor, self.basis_0_0).device

    def sizes(self, layer: int) -> int:
        """How many dimensions of a layer are in use."""
        return max(part.end for part in self.parts if part.layer == layer)

    @cached_property
    def uneven(self) -> Tensor:
        """Which dimensions of the textures make one half of the face lighter and the other darker: bool [L, D].

        The faces were trained on with their mirror images, so that each component is either even or odd.
        """
        found = torch.zeros(LAYERS, DIM, dtype=torch.bool)
        for part in (p for p in self.parts if p.box is not None):
            top, bottom, left, right = part.box or (0, 0, 0, 0)
            basis = getattr(self, part.name).float().view(-1, 3, bottom - top, right - left)
            found[part.layer, part.first : part.end] = (basis * basis.flip(-1)).sum((1, 2, 3)) < 0
        return found

    def decode(self, codes: Tensor, layer: int) -> Tensor:
        """One layer's vectors: codes float32 [n, L, D] → [n, 126] or [n, 3, B, B]."""
        mean = self.means[layer].to(codes)
        result = mean.expand(len(codes), *mean.shape).clone()
        for part in (p for p in self.parts if p.layer == layer):
            basis, scale = getattr(self, part.name).float(), self.extras[part.name]["scale"].to(codes)
            values = (codes[:, layer, part.first : part.end] * scale) @ basis
            if part.box is None:
                result = result + values
            else:
                top, bottom, left, right = part.box
                result[:, :, top:bottom, left:right] += values.view(-1, 3, bottom - top, right - left)
        return result

    def project(self, vectors: Tensor, layer: int) -> Tensor:
        """The layer's code nearest to the vectors: float32 [n, 126] or [n, 3, B, B] → [n, D], padded with zeros."""
        centred = vectors - self.means[layer].to(vectors)
        code = vectors.new_zeros(len(vectors), DIM)
        for part in (p for p in self.parts if p.layer == layer):
            basis, extra = getattr(self, part.name).float(), self.extras[part.name]
            values = centred
            if part.box is not None:
                top, bottom, left, right = part.box
                values = (centred[:, :, top:bottom, left:right] * extra["window"].to(vectors)).flatten(1)
            found = values @ basis.T @ extra["gain"].to(vectors) / extra["scale"].to(vectors)
            code[:, part.first : part.end] = found
        return code

    def shape(self, codes: Tensor) -> Tensor:
        """float32 [n, L, D] → the points of the shape, float32 [n, 63, 2], in units of the crop's side."""
        return self.decode(codes, 0).view(-1, geometry.POINTS, 2)

    def texture(self, codes: Tensor, size: int = BANDS[-1]) -> Tensor:
        """float32 [n, L, D] → float32 [n, 3, size, size], about [−1, 1], grey outside of the face."""
        return resize(assemble([self.decode(codes, 1 + i) for i in range(len(BANDS))]), size)

    def encode(self, shape: Tensor, texture: Tensor) -> Tensor:
        """Shape [n, 63, 2] and shape-free texture [n, 3, S, S] → codes float32 [n, L, D]."""
        texture = resize(texture, DETAIL) * self.window.to(texture)
        vectors = [shape.flatten(1).to(texture), *bands(texture)]
        return torch.stack([self.project(vector, i) for i, vector in enumerate(vectors)], dim=1)

    def unwarp(self, pictures: Tensor, shape: Tensor, size: int = DETAIL) -> Tensor:
        """Shape-free texture of pictures [n, 3, S, S] with shapes [n, 63, 2]: [n, 3, size, size]."""
        return unwarp(pictures, shape, self.mean_points, self.corner, self.side, size)

    def places(self, shape: Tensor, photo: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """For each pixel of a face of that shape [n, 63, 2]: where it lies in the texture's frame, and in the
        photograph whose face has the shape `photo`. Two float32 [n, size, size, 2]."""
        points = geometry.control_points(shape.double())
        targets = torch.cat([self._mean_points_for(points), geometry.control_points(photo.double())], dim=-1)
        to_mean, to_photo = geometry.spline(points, targets, geometry.nodes(size)).split(2, dim=-1)
        return self._framed(geometry.refine(to_mean, size)), geometry.held_at_border(geometry.refine(to_photo, size))

    def warp(self, texture: Tensor, shape: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Textures [n, 3, S, S] in a shape [n, 63, 2], and where the face is there, [n, 1, size, size] in [0, 1]."""
        points = geometry.control_points(shape.double())
        to_mean = geometry.spline(points, self._mean_points_for(points), geometry.nodes(size))
        to_frame = self._framed(geometry.refine(to_mean, size))
        return geometry.sample(texture, to_frame), self.face_at(to_frame)

    def _mean_points_for(self, points: Tensor) -> Tensor:
        return self.mean_points.to(points).expand_as(points)

    def _framed(self, places: Tensor) -> Tensor:
        result: Tensor = (places - places.new_tensor(self.corner)) / self.side
        return result

    def face_at(self, to_frame: Tensor) -> Tensor:
        """Where the face is, at places [n, H, W, 2] in the frame: [n, 1, H, W] in [0, 1]."""
        window = self.window.to(to_frame.device).expand(len(to_frame), -1, -1, -1)
        return geometry.sample(window, to_frame, "bilinear")


def unwarp(
    pictures: Tensor,
    shape: Tensor,
    mean_points: Tensor,
    corner: tuple[float, float],
    side: float,
    size: int,
) -> Tensor:
    """Pictures [n, 3, S, S] warped to the mean shape and cut to its frame: float32 [n, 3, size, size]."""
    targets = geometry.control_points(shape.double())
    source = mean_points.to(targets).expand_as(targets)
    coarse = geometry.spline(source, targets, geometry.nodes())
    return geometry.sample(pictures, geometry.refine(coarse, size, corner, side))


def _parts(tensors: Mapping[str, Tensor]) -> list[Part]:
    """The parts of all layers in the order of their numbers, which is that of their dimensions."""
    parts = []
    for layer in range(LAYERS):
        first, number = 0, 0
        while f"basis.{layer}.{number}" in tensors:
            end = first + len(tensors[f"basis.{layer}.{number}"])
            box = tensors.get(f"box.{layer}.{number}")
            place = None if box is None else (int(box[0]), int(box[1]), int(box[2]), int(box[3]))
            parts.append(Part(layer, first, end, f"basis_{layer}_{number}", place))
            first, number = end, number + 1
    return parts


def _extras(tensors: Mapping[str, Tensor], part: Part) -> dict[str, Tensor]:
    key = part.name[6:].replace("_", ".")
    names = ("scale", "gain") if part.box is None else ("scale", "gain", "window")
    return {name: tensors[f"{name}.{key}"].float() for name in names}
