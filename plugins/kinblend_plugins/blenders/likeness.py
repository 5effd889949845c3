"""A child in whom both parents are recognised."""

import torch
from torch.nn import functional as F

from kinblend import Blender
from kinblend.errors import UnsupportedError
from kinblend.identity import identity_by_name

RATE = 0.3  # Adam's, on the logits of the weights


class LikenessBlender(Blender):
    """A weight for every element, sought anew for each couple so that the child's picture is as like both parents'
    pictures as their embeddings' mean is: (share · father's + (1 − share) · mother's).

    An average of two codes lies nearer to the mean face than either, and a picture of it is like everyone. Here no
    element leaves what the parents have between them. Needs a projector that is differentiable.
    """

    def __init__(self, options, context):
        super().__init__(options, context)
        if context.projector is None:
            raise UnsupportedError("likeness looks at pictures, so it needs a backbone")
        self.projector, self.identity = context.projector(), identity_by_name(options.identity)
        self.module = self.projector.module

    @torch.inference_mode(False)
    def weights(self, father, mother, seed):
        share = self.options.share
        if share in (0.0, 1.0):
            return torch.full_like(father, share)
        father, mother = father.clone(), mother.clone()
        with torch.no_grad():
            theirs = self._embed(torch.stack([father, mother]))
        wanted = F.normalize(share * theirs[0] + (1 - share) * theirs[1], dim=0)
        logits = torch.full_like(father, share).logit().requires_grad_()
        adam = torch.optim.Adam([logits], RATE)
        with torch.enable_grad():
            for _ in range(self.options.steps):
                child = mother + (father - mother) * logits.sigmoid()
                unlike = 1 - self._embed(child[None])[0] @ wanted
                adam.zero_grad()
                unlike.backward()
                adam.step()
        return logits.detach().sigmoid()

    def _embed(self, codes):
        projector, identity = self.projector, self.identity
        pictures = projector.synthesize(codes, noise=projector.noise_kinds[0], size=identity.best_side)
        return F.normalize(identity.of_pictures(pictures).float().cpu(), dim=1)
