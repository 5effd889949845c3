"""Imported when the upscaler is first used."""

from PIL import Image

from kinblend.face_interfaces import Upscaler


class Lanczos(Upscaler):
    """Twice as wide and high."""

    factor = 2

    def upscale(self, images):
        sizes = [(image.width * self.factor, image.height * self.factor) for image in images]
        return [image.resize(size, Image.Resampling.LANCZOS) for image, size in zip(images, sizes, strict=True)]
