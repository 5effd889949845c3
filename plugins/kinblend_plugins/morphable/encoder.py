"""Photographs → codes and detail."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from kinblend import AlignedFace, Context, Encoder, Latent
from kinblend.errors import LatentShapeError
from kinblend.imaging import to_batch, to_pictures
from kinblend_plugins.morphable import skin
from kinblend_plugins.morphable.beard import BeardZone
from kinblend_plugins.morphable.landmarks import find_shape, to_shape
from kinblend_plugins.morphable.model import BANDS, DETAIL, Morphable, resize
from kinblend_plugins.morphable.options import EncoderOptions

SKIN = 192  # px of the map that tells skin in the background


class MorphableEncoder(Encoder):
    """Landmarks give the shape; the picture warped to the mean shape gives the texture and the detail."""

    options: EncoderOptions

    def __init__(self, options: EncoderOptions, context: Context) -> None:
        super().__init__(options, context)
        self.input_size = options.size
        self.module = self.model = Morphable.load(context.files["generator.safetensors"])
        points = (self.model.mean_shape - torch.tensor(self.model.corner)) / self.model.side
        self._sure, self._forehead = skin.sure(points), skin.forehead(points)

    @cached_property
    def _beard(self) -> BeardZone:
        return BeardZone.of(self.model)

    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, S, S] → float32 [n, L, D]. The landmarks are found in each picture."""
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, self.input_size, self.input_size):
            raise LatentShapeError(
                f"images must have shape [n, 3, {self.input_size}, {self.input_size}], not {list(images.shape)}"
            )
        shapes = torch.stack([find_shape(picture) for picture in to_pictures(images)])
        return torch.stack([latent.code for latent in self._encode(images, shapes)])

    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents with detail, all of it in the frame of the mean shape unless it says otherwise.

        `residual` float16 [3, 448, 448] (896 for 1024 px): the texture the code lacks. `tone` float16 [3, 24, 24]:
        the texture, coarsely. `hair` uint8 [112, 112]: where hair hangs over the face. `background` uint8 [3, S, S]:
        the photograph. `shape` float32 [63, 2]: of the face in it. `skin` uint8 [192, 192]: where the photograph
        shows skin. `beard` float16 [2]: how surely the photograph shows a beard, and the face has one, in [0, 1].
        """
        shapes = [find_shape(f.image) if f.landmarks is None else to_shape(f.landmarks, f.image.width) for f in faces]
        return self._encode(to_batch([face.image for face in faces], self.input_size), torch.stack(shapes))

    @torch.inference_mode()
    def _encode(self, images: Tensor, shapes: Tensor) -> list[Latent]:
        model = self.model
        images, shapes = images.float().to(model.device), shapes.float().to(model.device)
        side = DETAIL * self.input_size // 512
        texture = model.unwarp(images, shapes, side)
        colour = skin.skin_colour(texture, self._sure.to(texture))
        texture, hair = skin.bare(texture, colour, self._forehead)
        codes = model.encode(shapes, texture)
        # Warping to the frame and back blurs; what it took away is added, so that a face comes back as it was.
        warped, face = model.warp(texture, shapes, self.input_size)
        texture = texture + model.unwarp((images - warped) * face, shapes, side) * (1 - resize(hair, side))
        detail = {
            "residual": (texture - model.texture(codes, side)).half(),
            "beard": self._beard.share(texture)[:, None].expand(-1, 2).half(),
            "tone": resize(texture, BANDS[0]).half(),
            "hair": _bytes(hair[:, 0]),
            "background": _bytes((images + 1) / 2),
            "shape": shapes,
            "skin": _bytes(colour.likely(resize(images, SKIN))[:, 0]),
        }
        return [
            Latent(
                codes[i].cpu().clone(), self.space, {name: value[i].cpu().clone() for name, value in detail.items()}
            )
            for i in range(len(codes))
        ]


def _bytes(shares: Tensor) -> Tensor:
    """[0, 1] → uint8 in [0, 255]."""
    return (shares * 255).round().clamp(0, 255).to(torch.uint8)
