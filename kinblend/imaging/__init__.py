"""Pictures in and out, safely."""

from kinblend.imaging.convert import to_batch, to_pictures

__all__ = ["to_batch", "to_pictures"]
