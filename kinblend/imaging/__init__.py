"""Pictures in and out, safely."""

from kinblend.imaging.convert import to_batch, to_pictures
from kinblend.imaging.decode import read_image, to_picture

__all__ = ["read_image", "to_batch", "to_picture", "to_pictures"]
