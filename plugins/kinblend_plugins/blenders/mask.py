"""Binary inheritance: every gene comes whole from one parent."""

import torch

from kinblend import Blender


class MaskBlender(Blender):
    """A dimension, a layer or a single element comes from the father with probability `share`, drawn from the seed.

    Source: the binary mask strategy of the student report that kinblend began as.
    """

    def weights(self, father, mother, seed):
        layers, dim = father.shape
        shape = {"dimension": (1, dim), "layer": (layers, 1), "element": (layers, dim)}[self.options.by]
        draws = torch.rand(shape, generator=torch.Generator().manual_seed(seed))
        return (draws < self.options.share).to(father.dtype).expand(layers, dim).contiguous()
