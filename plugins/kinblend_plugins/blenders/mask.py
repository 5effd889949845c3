"""Binary inheritance: every gene comes whole from one parent."""

import torch

from kinblend import Blender
from kinblend.errors import OptionError
from kinblend_plugins.blenders.files import read_shares


class MaskBlender(Blender):
    """A dimension, a layer or a single element comes from the father with probability `share`, drawn from the seed;
    or where a given mask is one.

    Source: the binary mask strategy of the student report that kinblend began as.
    """

    def weights(self, father, mother, seed):
        layers, dim = father.shape
        if self.options.file is not None:
            return self._given(layers, dim)
        shape = {"dimension": (1, dim), "layer": (layers, 1), "element": (layers, dim)}[self.options.by]
        draws = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        return (draws < self.options.share).to(father.dtype).expand(layers, dim).contiguous()

    def _given(self, layers, dim):
        mask = read_shares(self.options.file, "mask")
        if tuple(mask.shape) not in [(layers, dim), (1, dim), (dim,), (layers, 1)]:
            raise OptionError(
                f"{self.options.file}: the mask has shape {list(mask.shape)}; "
                f"allowed are [{layers}, {dim}], [{dim}] and [{layers}, 1]"
            )
        if not bool(((mask == 0) | (mask == 1)).all()):
            raise OptionError(
                f"{self.options.file}: a mask holds zeros and ones only; for shares use dimension or layer"
            )
        return mask.expand(layers, dim).contiguous()
