"""Layers that look at all rows of a batch, for processes that have a part of them each (`ranks.Ranks`)."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from kinblend.training.ranks import Ranks, entered_share

Module = TypeVar("Module", bound=nn.Module)


def shared_layers(network: Module, ranks: Ranks) -> Module:
    """The network, its batch norms and dropouts replaced by those below where there are several processes.

    Weights, buffers and their names stay. Within `with share:` a training network then gives the share's rows what
    one process would give them; rows are the first dimension wherever such a layer is.
    """
    if ranks.size == 1:
        return network
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, _BatchNorm):
                setattr(parent, name, SharedBatchNorm(layer))
            elif isinstance(layer, nn.Dropout):
                setattr(parent, name, SharedDropout(layer.p))
    return network


class SharedBatchNorm(_BatchNorm):
    """Batch norm by the statistics of all rows: Ioffe and Szegedy, "Batch Normalization" (2015), algorithm 1.

    plain: the layer whose weights and running statistics it takes over.
    """

    def __init__(self, plain: _BatchNorm) -> None:
        super().__init__(plain.num_features, plain.eps, plain.momentum, plain.affine, plain.track_running_stats)
        self.weight, self.bias = plain.weight, plain.bias
        self.running_mean, self.running_var = plain.running_mean, plain.running_var
        self.num_batches_tracked = plain.num_batches_tracked
        self.training = plain.training

    def forward(self, x: Tensor) -> Tensor:
        share = entered_share()
        if share is None or not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.ndim)]
        shape = (1, -1, *(1 for _ in range(2, x.ndim)))
        count, counted = share.total * x[0, 0].numel(), float(share.weight > 0)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        mean = share.ranks.sum(values.sum(axes) * counted) / count
        centred = values - mean.view(shape)
        variance = share.ranks.sum(centred.square().sum(axes) * counted) / count
        self._follow(mean.detach(), variance.detach() * count / max(count - 1, 1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics. variance: the unbiased one."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions will do."""


class SharedDropout(nn.Dropout):
    """Dropout that draws for all rows, and drops what one process would have dropped of these."""

    def forward(self, x: Tensor) -> Tensor:
        share = entered_share()
        if share is None or not self.training:
            return super().forward(x)
        kept = F.dropout(x.new_ones((share.total, *x.shape[1:])), self.p)
        return x * share.take(kept)
