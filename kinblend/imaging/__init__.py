"""Pictures in and out, safely."""

from kinblend.imaging.convert import to_batch, to_pictures
from kinblend.imaging.decode import decode_image, read_image, to_picture

__all__ = ["decode_image", "read_image", "to_batch", "to_picture", "to_pictures"]
