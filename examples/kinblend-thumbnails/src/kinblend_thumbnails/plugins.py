"""Imported when the backbone is first used."""

from torch.nn import functional as F

from kinblend import Encoder, Projector
from kinblend.errors import LatentShapeError
from kinblend.tensor_files import load_file

SIDE = 16  # of a code, in pixels


class ThumbnailEncoder(Encoder):
    """[n, 3, 64, 64] → [n, 3, 256]: red, green and blue, less the mean picture of the pack."""

    input_size = 64
    batch_invariant = True

    def __init__(self, options, context):
        super().__init__(options, context)
        self.mean = load_file(context.files["generator.safetensors"])["mean"]

    def encode(self, images):
        if tuple(images.shape[1:]) != (3, self.input_size, self.input_size):
            raise LatentShapeError(f"images must be [n, 3, {self.input_size}, {self.input_size}]")
        return F.adaptive_avg_pool2d(images, SIDE).flatten(2) - self.mean


class ThumbnailProjector(Projector):
    """[n, 3, 256] → [n, 3, 128, 128]."""

    resolution = 128
    noise_kinds = ("none",)

    def __init__(self, options, context):
        super().__init__(options, context)
        self.mean = load_file(context.files["generator.safetensors"])["mean"]

    def synthesize(self, codes, *, noise=None, seed=0, size=None):
        if tuple(codes.shape[1:]) != (3, SIDE * SIDE):
            raise LatentShapeError(f"codes must be [n, 3, {SIDE * SIDE}], not {list(codes.shape)}")
        self.choose_noise(noise)
        small = (codes.float() + self.mean).view(-1, 3, SIDE, SIDE)
        return F.interpolate(small, size=size or self.resolution, mode="bicubic", antialias=True)

    def layer_groups(self):
        return {"red": (0, 0), "green": (1, 1), "blue": (2, 2)}
