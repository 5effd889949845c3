"""Photographs → codes and detail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from kinblend import AlignedFace, Context, Encoder, Latent
from kinblend.imaging import to_batch, to_pictures
from kinblend_plugins.morphable.landmarks import landmarks_in_crop
from kinblend_plugins.morphable.model import Morphable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydantic import BaseModel


class MorphableEncoder(Encoder):
    """Landmarks give the shape; the picture warped to the mean shape gives the texture and the detail."""

    input_size = 512

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        self.module = self.model = Morphable.load(context.files["generator.safetensors"])

    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, 512, 512] → float32 [n, L, D]. The landmarks are found in each picture."""
        points = [landmarks_in_crop(picture) for picture in to_pictures(images)]
        return self._encode(images, [_relative(p, self.input_size) for p in points])[0]

    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents with detail.

        `residual` float16 [3, R, R]: the texture the code lacks, in the mean shape's frame. `surround` uint8
        [3, 512, 512]: the photograph. `landmarks` float32 [68, 2]: where its landmarks are.
        """
        points = [
            _relative(landmarks_in_crop(f.image) if f.landmarks is None else f.landmarks, f.image.width)
            for f in faces
        ]
        images = to_batch([face.image for face in faces], self.input_size)
        codes, residuals = self._encode(images, points)
        surrounds = ((images + 1) * 127.5).round().to(torch.uint8)
        return [
            Latent(code, self.space, {"residual": residual.half(), "surround": surround, "landmarks": where})
            for code, residual, surround, where in zip(codes, residuals, surrounds, points, strict=True)
        ]

    @torch.inference_mode()
    def _encode(self, images: Tensor, points: list[Tensor]) -> tuple[Tensor, Tensor]:
        model = self.model
        images, landmarks = images.float().to(model.device), torch.stack(points).to(model.device)
        texture = model.unwarp(images, landmarks)
        codes = model.encode(landmarks, texture)
        return codes.cpu().clone(), (texture - model.texture(codes)).cpu().clone()


def _relative(landmarks: NDArray[Any], size: int) -> Tensor:
    """Pixels → units of the crop's side, float32 [68, 2]."""
    return torch.from_numpy((np.asarray(landmarks, dtype=np.float64) + 0.5) / size).float()
