"""Binary inheritance: every stretch of the code comes whole from one parent."""

from __future__ import annotations

import torch
from torch import Tensor

from kinblend import Blender
from kinblend.errors import OptionError
from kinblend_plugins.blenders.files import read_shares


class MaskBlender(Blender):
    """A dimension, a layer or a single element comes from the father with probability `share`, drawn from the seed;
    or where a given mask is one.

    By default a dimension comes from one parent in all layers of a group, since these draw the same part of a face:
    drawn layer by layer, many layers would make every child an average.

    Groups that the backbone hands down whole (`Context.whole_groups`) are one gene: pieces of two complexions would
    make patches.

    Genes that lie side by side are handed down in stretches (crossing over; Morgan 1911). So are neighbouring
    dimensions: what belongs together, a beard or a complexion, mostly stays together.
    Source: the binary mask strategy of the student report that kinblend began as, whose stretches are of one.
    """

    stochastic = True

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        layers, dim = father.shape
        if self.options.file is not None or self.options.mask is not None:
            return self._given(layers, dim)
        group_of = self._group_of(layers)
        groups = list(self.context.layer_groups())
        rows = {"dimension": 1, "layer": layers, "element": layers, "group": len(groups)}[self.options.by]
        shape = (rows, 1 if self.options.by == "layer" else dim)
        generator = torch.Generator().manual_seed(seed)
        draws = torch.rand(shape, generator=generator) < self.options.share
        crossed = torch.rand(shape, generator=generator) * self.options.run < 1
        start = torch.where(crossed, torch.arange(shape[1]), 0).cummax(1).values
        if self.options.by == "group":
            start[[groups.index(name) for name in self.context.whole_groups()]] = 0
        mask = draws.gather(1, start).to(father.dtype)
        result: Tensor = (mask[group_of] if self.options.by == "group" else mask).expand(layers, dim).contiguous()
        return result

    def _group_of(self, layers: int) -> Tensor:
        """The number of each layer's group, int64 [L]."""
        found = torch.zeros(layers, dtype=torch.int64)
        for number, (first, last) in enumerate(self.context.layer_groups().values()):
            found[first : last + 1] = number
        return found

    def _given(self, layers: int, dim: int) -> Tensor:
        mask, name = self._read()
        if tuple(mask.shape) not in [(layers, dim), (1, dim), (dim,), (layers, 1)]:
            raise OptionError(
                f"{name} has shape {list(mask.shape)}; allowed are [{layers}, {dim}], [{dim}] and [{layers}, 1]"
            )
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise OptionError(f"{name} holds more than zeros and ones; for shares use dimension or layer")
        return mask.expand(layers, dim).contiguous()

    def _read(self) -> tuple[Tensor, str]:
        if self.options.file is not None:
            return read_shares(self.options.file, "mask"), f"the mask {self.options.file}"
        try:
            return torch.tensor(self.options.mask, dtype=torch.float32), "the mask"
        except (TypeError, ValueError) as error:
            raise OptionError(f"the mask is no list of numbers, or of rows of equal length: {error}") from error
