"""The five networks of a training: generator, encoder, discriminator, and moving averages of the first two."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinblend.training.moving_average import averaged_copy, update_average
from kinblend_plugins.stylegan2.encoder_network import EncoderNetwork
from kinblend_plugins.stylegan2.generator import Generator
from kinblend_plugins.stylegan2.layers import StyledConv
from kinblend_plugins.stylegan2.training.discriminator import Discriminator
from kinblend_plugins.stylegan2.training.recipe import Recipe

AVERAGED = ("generator", "encoder")
RAMP = 0.05  # the half-life of the moving average is at most this share of the faces seen


class Networks(nn.Module):
    """Made from the recipe's seed. `average_generator` and `average_encoder` are the moving averages."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            down, features = recipe.widths[::-1], max(4, recipe.width // 2)
            self.generator = Generator(recipe.widths, recipe.depth, recipe.dim)
            self.encoder = EncoderNetwork(down, features, recipe.layers, recipe.dim)
            self.discriminator = Discriminator(down)
        self.average_generator = averaged_copy(self.generator)
        self.average_encoder = averaged_copy(self.encoder)

    def update_averages(self, batch: int, seen: int, half_life: int) -> None:
        """Move the moving averages: Karras et al. (2020, ADA), appendix C. half_life, batch, seen: in faces."""
        decay = 0.5 ** (batch / max(min(half_life, RAMP * seen), 1e-8))
        for name in AVERAGED:
            update_average(getattr(self, f"average_{name}"), getattr(self, name), decay)


def noises(generator: Generator, count: int, source: torch.Generator) -> list[Tensor]:
    """For each convolution noise [count, 1, r, r], another one for each picture, on the source's device."""
    sizes = [conv.size for conv in generator.convs if isinstance(conv, StyledConv)]
    return [torch.randn(count, 1, size, size, generator=source, device=source.device) for size in sizes]


def stored_noises(generator: Generator) -> list[Tensor]:
    """The maps that the pack will hold, [r, r] each."""
    return [conv.noise for conv in generator.convs if isinstance(conv, StyledConv)]
