"""Strategies whose weight map is written down in the options.

Source: the strategies average, dimension and layer of the student report that kinblend began as; the layer groups are
those of Karras et al. 2019, section 3 (coarse 4–8 px, middle 16–32 px, fine 64 px and up).
"""

import torch

from kinblend import Blender
from kinblend.errors import OptionError

# StyleGAN's groups over 18 layers; a shorter latent is divided in the same proportions.
GROUPS = {"coarse": (0, 4), "middle": (4, 8), "fine": (8, 18)}


class AverageBlender(Blender):
    """One share everywhere."""

    def weights(self, father, mother, seed):
        return torch.full_like(father, self.options.share)


class DimensionBlender(Blender):
    """A share per dimension, the same in every layer."""

    def weights(self, father, mother, seed):
        shares = self.options.shares
        if isinstance(shares, list):
            shares = dict(enumerate(shares))
        return _by_dimension(father, shares, self.options.default)


class LayerBlender(Blender):
    """A share per layer; where no layer is named, per dimension, which is the report's combination of both."""

    def weights(self, father, mother, seed):
        weights = _by_dimension(father, self.options.dimensions, self.options.default)
        for name, share in self.options.shares.items():
            first, end = layer_range(name, father.shape[0])
            weights[first:end] = share
        return weights


def layer_range(name: str, layers: int) -> tuple[int, int]:
    """ "3" → (3, 4), "0-3" → (0, 4), "coarse" → its layers. Raises `OptionError`."""
    if name in GROUPS:
        first, end = GROUPS[name]
        # StyleGAN latents keep the groups of the 1024 px generator; fine ends where the latent ends.
        if layers >= 9:
            return first, min(end, layers)
        return round(first * layers / 18), round(end * layers / 18)
    try:
        numbers = [int(part) for part in name.split("-")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not 0 <= numbers[0] <= numbers[-1] < layers:
        raise OptionError(f"layer {name!r}: use 0 to {layers - 1}, a range such as 0-3, or {', '.join(GROUPS)}")
    return numbers[0], numbers[-1] + 1


def _by_dimension(like, shares, default):
    weights = torch.full_like(like, default)
    for dimension, share in shares.items():
        if not 0 <= dimension < like.shape[1]:
            raise OptionError(f"dimension {dimension}: use 0 to {like.shape[1] - 1}")
        weights[:, dimension] = share
    return weights
