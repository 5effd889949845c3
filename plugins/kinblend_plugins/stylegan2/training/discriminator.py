"""The residual discriminator of Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), with
the minibatch statistics of Karras et al., "Progressive Growing of GANs" (2018), section 3."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from kinblend.training.ranks import Share
from kinblend_plugins.stylegan2.layers import Dense, leaky
from kinblend_plugins.stylegan2.residual import Conv, Halving

GROUP = 4  # pictures whose spread is looked at together


class Discriminator(nn.Module):
    """Pictures [n, 3, R, R] → how real they look [n, 1], float32.

    widths: channels at R, R/2, … 4 px.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        last = widths[-1]
        self.stem = Conv(3, widths[0], 1)
        self.body = nn.Sequential(*(Halving(a, b) for a, b in pairwise(widths)))
        self.last = Conv(last + 1, last, 3, padding=1)
        self.hidden = Dense(16 * last, last)
        self.out = Dense(last, 1)

    def forward(self, pictures: Tensor, share: Share | None = None) -> Tensor:
        """share: of a batch that several processes share: which of its rows the pictures are."""
        x = self.body(leaky(self.stem(pictures)))
        x = leaky(self.last(with_spread(x, share)))
        result: Tensor = self.out(leaky(self.hidden(x.flatten(1)))).float()
        return result


def with_spread(x: Tensor, share: Share | None = None) -> Tensor:
    """x [n, C, H, W] and one channel more: the standard deviation over groups of 4 pictures (2 or 1 where n asks
    for it), averaged over all places; computed in float32. share: groups are of the whole batch, of all processes."""
    with torch.autocast(x.device.type, enabled=False):
        everyone = x.float() if share is None else share.gather(x.float())
        count = math.gcd(len(everyone), GROUP)
        grouped = everyone.reshape(count, len(everyone) // count, *x.shape[1:])
        spread = (grouped.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3)).repeat(count)
        own = spread if share is None else share.take(spread)
    channel = own.to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel], dim=1)
