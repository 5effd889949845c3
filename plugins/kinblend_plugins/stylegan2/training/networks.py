"""The five networks of a training: generator, encoder, discriminator, and running averages of the first two."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from kinblend_plugins.stylegan2.encoder_network import EncoderNetwork
from kinblend_plugins.stylegan2.generator import Generator
from kinblend_plugins.stylegan2.layers import StyledConv
from kinblend_plugins.stylegan2.training.discriminator import Discriminator
from kinblend_plugins.stylegan2.training.recipe import Recipe

AVERAGED = ("generator", "encoder")
RAMP = 0.05  # the half-life of the running average is at most this share of the faces seen


class Networks(nn.Module):
    """Made from the recipe's seed. `steady_generator` and `steady_encoder` are the running averages."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            down, features = recipe.widths[::-1], max(4, recipe.width // 2)
            self.generator = Generator(recipe.widths, recipe.depth, recipe.dim)
            self.encoder = EncoderNetwork(down, features, recipe.layers, recipe.dim)
            self.discriminator = Discriminator(down)
        self.steady_generator = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.steady_encoder = copy.deepcopy(self.encoder).eval().requires_grad_(False)

    @torch.no_grad()
    def follow(self, batch: int, seen: int, half_life: int) -> None:
        """Move the running averages: Karras et al. (2020, ADA), appendix C. half_life, batch, seen: in faces."""
        share = 1 - 0.5 ** (batch / max(min(half_life, RAMP * seen), 1e-8))
        for name in AVERAGED:
            fast, steady = getattr(self, name), getattr(self, f"steady_{name}")
            for ours, theirs in zip(steady.parameters(), fast.parameters(), strict=True):
                ours.lerp_(theirs, share)
            for ours, theirs in zip(steady.buffers(), fast.buffers(), strict=True):
                ours.copy_(theirs)


def noises(generator: Generator, count: int, source: torch.Generator) -> list[Tensor]:
    """For each convolution noise [count, 1, r, r], another one for each picture, on the source's device."""
    sizes = [conv.size for conv in generator.convs if isinstance(conv, StyledConv)]
    return [torch.randn(count, 1, size, size, generator=source, device=source.device) for size in sizes]


def stored_noises(generator: Generator) -> list[Tensor]:
    """The maps that the pack will hold, [r, r] each."""
    return [conv.noise for conv in generator.convs if isinstance(conv, StyledConv)]
