"""Strategies whose weight map is written down in the options.

Source: the strategies average, dimension and layer of the student report that kinblend began as; the layer groups are
those of Karras et al. 2019, section 3 (coarse 4–8 px, middle 16–32 px, fine 64 px and up).
"""

import torch

from kinblend import Blender
from kinblend.errors import OptionError
from kinblend_plugins.blenders.files import read_shares

# StyleGAN's groups over 18 layers; a shorter latent is divided in the same proportions.
GROUPS = {"coarse": (0, 4), "middle": (4, 8), "fine": (8, 18)}


class AverageBlender(Blender):
    """One share everywhere."""

    def weights(self, father, mother, seed):
        return torch.full_like(father, self.options.share)


class DimensionBlender(Blender):
    """A share per dimension, the same in every layer."""

    def weights(self, father, mother, seed):
        return _by_dimension(father, self.options.shares, self.options.default)


class LayerBlender(Blender):
    """A share per layer; where no layer is named, per dimension, which is the report's combination of both."""

    def weights(self, father, mother, seed):
        weights = _by_dimension(father, self.options.dimensions, self.options.default)
        layers, shares = father.shape[0], self.options.shares
        if not isinstance(shares, dict):
            return _in_full(shares, layers, "layer")[:, None].expand_as(weights).contiguous()
        for name, share in shares.items():
            first, end = layer_range(name, layers)
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
    if not isinstance(shares, dict):
        return _in_full(shares, like.shape[1], "dimension").expand_as(like).contiguous()
    weights = torch.full_like(like, default)
    for dimension, share in shares.items():
        if not 0 <= dimension < like.shape[1]:
            raise OptionError(f"dimension {dimension}: use 0 to {like.shape[1] - 1}")
        weights[:, dimension] = share
    return weights


def _in_full(shares, count, what):
    """A list of shares or a file of them → float32 [count]."""
    values = torch.tensor(shares) if isinstance(shares, list) else read_shares(shares, "shares")
    if values.numel() != count:
        raise OptionError(f"{values.numel()} shares were given, but there are {count} {what}s; give one for each")
    return values.reshape(count).float()
