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
RATE, MEAN, SQUARE, LEAST = 0.3, 0.9, 0.999, 1e-8  # Adam's: step on the logits, the two decays, and epsilon
REACH = 0.5  # root mean square of what `search=gradient` adds to the logits in all steps, if they went one way


class LikenessBlender(Blender):
    """A weight for every element, sought anew for each couple by looking at the child's picture.

    The picture is to be like the mean of both parents' embeddings (share · father's + (1 − share) · mother's): an
    average of two codes lies nearer to the mean face than either, and is like everyone. With `heredity` it is to be
    like what families taught that becomes of this mean in a child. No element leaves what the parents have between
    them. Needs a projector that is differentiable.

    Adam moves all elements alike, those that the picture hardly shows as well; along the gradient, they stay.

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
        move = self._along if self.options.search == "gradient" else _Adam(father)
        for _ in range(self.options.steps):
            check_cancelled()
            with torch.enable_grad():
                child = mother + (father - mother) * logits.sigmoid()
                unlike = 1 - self._embed(child[None])[0] @ wanted
                [gradient] = torch.autograd.grad(unlike, logits)
            with torch.no_grad():
                logits -= move(gradient)
        return logits.detach().sigmoid()

    def _along(self, gradient: Tensor) -> Tensor:
        """A step along the gradient, all of the same length."""
        length = gradient.square().mean().sqrt().clamp_min(torch.finfo(gradient.dtype).tiny)
        step: Tensor = gradient * (REACH / self.options.steps / length)
        return step

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


class _Adam:
    """Adam's steps (Kingma and Ba 2015), written out: torch's own brings its compiler along, a second to load."""

    def __init__(self, like: Tensor) -> None:
        self.step, self.mean, self.square = 0, torch.zeros_like(like), torch.zeros_like(like)

    def __call__(self, gradient: Tensor) -> Tensor:
        """What to take away for a gradient."""
        self.step += 1
        self.mean.lerp_(gradient, 1 - MEAN)
        self.square.lerp_(gradient.square(), 1 - SQUARE)
        size = (self.square / (1 - SQUARE**self.step)).sqrt() + LEAST
        return RATE * self.mean / (1 - MEAN**self.step) / size
