"""Nearest-neighbour, bilinear and bicubic interpolation, by Pillow: four times as wide and high."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from PIL import Image

from kinblend.face_interfaces import Upscaler


class Interpolation(Upscaler):
    """kernel: how the pixels in between are made."""

    kernel: ClassVar[Image.Resampling]

    def upscale(self, images: Sequence[Image.Image]) -> list[Image.Image]:
        sizes = [(image.width * self.factor, image.height * self.factor) for image in images]
        return [image.resize(size, self.kernel) for image, size in zip(images, sizes, strict=True)]


class Nearest(Interpolation):
    """Each pixel as a square of sixteen."""

    kernel = Image.Resampling.NEAREST


class Bilinear(Interpolation):
    """Between the four nearest pixels."""

    kernel = Image.Resampling.BILINEAR


class Bicubic(Interpolation):
    """Between the sixteen nearest pixels."""

    kernel = Image.Resampling.BICUBIC
