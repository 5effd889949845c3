"""A child like the one that its parents' looks let one expect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Blender, Context
from kinblend.cancellation import check_cancelled
from kinblend.errors import OptionError, UnsupportedError, WeightsMissingError
from kinblend.identity import load_identity
from kinblend_plugins.blenders.heredity import Heredity, load_heredity

if TYPE_CHECKING:
    from pydantic import BaseModel

FILE = "heredity.safetensors"
FAR = 6.0  # how far a logit may go in all steps together; fewer steps are larger ones
MEAN, SQUARE, LEAST = 0.9, 0.999, 1e-8  # Adam's two decays, and epsilon


class LikenessBlender(Blender):
    """A weight for every element, sought anew for each couple by looking at the child's picture.

    The picture is to be like the mean of both parents' embeddings (share · father's + (1 − share) · mother's): an
    average of two codes lies nearer to the mean face than either, and is like everyone. With `heredity` it is to be
    like what families taught that becomes of this mean in a child. No element leaves what the parents have between
    them. Needs a projector that is differentiable.

    Raises `WeightsMissingError` where heredity is asked for and neither options nor pack have any.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        if context.projector is None:
            raise UnsupportedError("likeness looks at pictures, so it needs a backbone")
        self.identity = load_identity(self.options.identity)
        self.heredity = self._read_heredity() if self.options.heredity else None
        self.projector = context.projector()
        self.module = self.projector.module
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        share = self.options.share
        if share in (0.0, 1.0):
            return torch.full_like(father, share)
        # Brothers and sisters have the same weights, whatever their seeds; they need not be sought again.
        if self._last is None or not (torch.equal(father, self._last[0]) and torch.equal(mother, self._last[1])):
            self._last = father.clone(), mother.clone(), self._sought(father, mother)
        result: Tensor = self._last[2].clone()
        return result

    def _sought(self, father: Tensor, mother: Tensor) -> Tensor:
        """On one thread: on a busy machine sums over two came out in another order, and the same seed must give the
        same bytes."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self._seek(father, mother)
        finally:
            torch.set_num_threads(threads)

    @torch.inference_mode(False)
    def _seek(self, father: Tensor, mother: Tensor) -> Tensor:
        share, father, mother = self.options.share, father.clone(), mother.clone()
        with torch.no_grad():
            wanted = self._expected(self._embed(torch.stack([father, mother])))
        logits = torch.full_like(father, share).logit().requires_grad_()
        # Adam (Kingma and Ba 2015), written out: torch's own brings its compiler along, which takes a second to load.
        mean, square, rate = torch.zeros_like(father), torch.zeros_like(father), FAR / self.options.steps
        for step in range(1, self.options.steps + 1):
            check_cancelled()
            with torch.enable_grad():
                child = mother + (father - mother) * logits.sigmoid()
                unlike = 1 - self._embed(child[None])[0] @ wanted
                [gradient] = torch.autograd.grad(unlike, logits)
            mean.lerp_(gradient, 1 - MEAN)
            square.lerp_(gradient.square(), 1 - SQUARE)
            size = (square / (1 - SQUARE**step)).sqrt() + LEAST
            with torch.no_grad():
                logits -= rate * mean / (1 - MEAN**step) / size
        return logits.detach().sigmoid()

    def _expected(self, theirs: Tensor) -> Tensor:
        """The embedding [E] that the child of these two, [2, E], is to have."""
        share, heredity = self.options.share, self.options.heredity
        both = F.normalize(share * theirs[:1] + (1 - share) * theirs[1:], dim=1)
        if self.heredity is not None:
            both = F.normalize((1 - heredity) * both + heredity * self.heredity(both), dim=1)
        return both[0]

    def _embed(self, codes: Tensor) -> Tensor:
        projector, identity = self.projector, self.identity
        size = self.options.picture_size or identity.input_side
        pictures = projector.synthesize(codes, noise=projector.noise_kinds[0], size=size)
        # A lease moves the projector's network; the identity network stays on the CPU.
        return F.normalize(identity.embed_pictures(pictures.float().cpu()), dim=1)

    def _read_heredity(self) -> Heredity:
        path = self.options.weights or self.context.files.get(FILE)
        if path is None:
            raise WeightsMissingError(
                f"{self.space.backbone} has no weights for likeness yet: use another strategy, train some with "
                "`kinblend train blender likeness --trios FILE`, or do without by its option heredity=0"
            )
        heredity = load_heredity(path)
        if heredity.identity != self.identity.name:
            raise OptionError(f"{path} is of {heredity.identity}'s embeddings, not of {self.identity.name}'s")
        return heredity
