"""The linear model: codes ↔ landmarks and shape-free texture.

Texture lies in the mean shape's frame, a square that holds the face, in three Laplacian bands (Burt and
Adelson 1983) from coarse to fine. Each layer of a code holds the whitened principal components of one of them.
After Cootes, Edwards and Taylor, Active Appearance Models (1998), and Blanz and Vetter (1999).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend_plugins.morphable import geometry

BANDS = (32, 64, 144)  # side of each band's raster, in pixels
DETAIL = 448  # side of the residual texture
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


class Morphable(nn.Module):
    """Codes to shape and texture, and back.

    tensors: of `generator.safetensors`. For each layer i: `mean.i` float [m_i]; `basis.i` [k_i, m_i], int8 for
        textures, and `scale.i` float [k_i], whose product is the components times their standard deviation; `gain.i`
        float [k_i, k_i], the inverse of the basis' Gram matrix, makes up for its rounding. `frame` float [3]:
        left, top and side of the texture's square. `window` uint8 [DETAIL, DETAIL]: where the face is, 0 to 255.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for i in range(LAYERS):
            self.register_buffer(f"basis_{i}", tensors[f"basis.{i}"])
        # Kept out of the buffers: these stay float32 whatever precision a device pool chooses.
        self.means = [tensors[f"mean.{i}"].float() for i in range(LAYERS)]
        self.scales = [tensors[f"scale.{i}"].float() for i in range(LAYERS)]
        self.gains = [tensors[f"gain.{i}"].float() for i in range(LAYERS)]
        left, top, self.side = tensors["frame"].double().tolist()
        self.corner = (left, top)
        self.window = (tensors["window"].float() / 255)[None, None]
        self.mean_points = geometry.control_points(self.means[0].double().view(68, 2))

    @classmethod
    def load(cls, path: Path) -> Morphable:
        """From `generator.safetensors`."""
        from safetensors.torch import load_file

        return cls(load_file(path))

    @property
    def device(self) -> torch.device:
        """Where its components are."""
        return self.basis_0.device

    def decode(self, codes: Tensor, layer: int) -> Tensor:
        """One layer's vector: codes float32 [n, L, D] → [n, m]."""
        basis, scale = getattr(self, f"basis_{layer}").float(), self.scales[layer].to(codes)
        return self.means[layer].to(codes) + (codes[:, layer, : len(scale)] * scale) @ basis

    def project(self, vectors: Tensor, layer: int) -> Tensor:
        """The layer's code nearest to the vectors: float32 [n, m] → [n, D], padded with zeros."""
        basis, scale = getattr(self, f"basis_{layer}").float(), self.scales[layer].to(vectors)
        code = (vectors - self.means[layer].to(vectors)) @ basis.T @ self.gains[layer].to(vectors) / scale
        return F.pad(code, (0, DIM - len(scale)))

    def landmarks(self, codes: Tensor) -> Tensor:
        """float32 [n, L, D] → float32 [n, 68, 2]."""
        return self.decode(codes, 0).view(-1, 68, 2)

    def texture(self, codes: Tensor) -> Tensor:
        """float32 [n, L, D] → float32 [n, 3, DETAIL, DETAIL], about [−1, 1]."""
        parts = [self.decode(codes, 1 + i).view(-1, 3, size, size) for i, size in enumerate(BANDS)]
        return resize(assemble(parts), DETAIL)

    def encode(self, landmarks: Tensor, texture: Tensor) -> Tensor:
        """Landmarks [n, 68, 2] and shape-free texture [n, 3, DETAIL, DETAIL] → codes float32 [n, L, D]."""
        average = self.texture(texture.new_zeros(1, LAYERS, DIM))
        parts = bands(average + (texture - average) * self.window.to(texture))
        vectors = [landmarks.flatten(1).to(texture), *(part.flatten(1) for part in parts)]
        return torch.stack([self.project(vector, i) for i, vector in enumerate(vectors)], dim=1)

    def unwarp(self, pictures: Tensor, landmarks: Tensor, size: int = DETAIL) -> Tensor:
        """Shape-free texture of pictures [n, 3, S, S] with landmarks [n, 68, 2]: [n, 3, size, size]."""
        return unwarp(pictures, landmarks, self.mean_points, self.corner, self.side, size)


def unwarp(
    pictures: Tensor,
    landmarks: Tensor,
    mean_points: Tensor,
    corner: tuple[float, float],
    side: float,
    size: int,
) -> Tensor:
    """Pictures [n, 3, S, S] warped to the mean shape and cut to its frame: float32 [n, 3, size, size]."""
    targets = geometry.control_points(landmarks.double())
    source = mean_points.to(targets).expand_as(targets)
    coarse = geometry.spline(source, targets, geometry.nodes())
    return geometry.sample(pictures, geometry.refine(coarse, geometry.pixel_centres(size, corner, side)))
