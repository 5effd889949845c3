"""From latents to embeddings, differentiably: what the weight network is trained through."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from kinblend import Backbone
from kinblend.identity import embedder_on, load_identity


class Render:
    """Codes → the picture → its embedding: true gradients, through projector and identity network.

    identity: the network's name. precision: of both networks; of the projector's as far as its `preview` rounds.
    size: px of the pictures; None: as many as the identity network can see. device: where both networks are.
    checkpointing: keep no activations and compute them again on the way back, for large generators.
    """

    def __init__(
        self,
        backbone: Backbone,
        identity: str = "dlib",
        precision: Literal["fp32", "bf16"] = "fp32",
        checkpointing: bool = False,
        size: int | None = None,
        device: torch.device | None = None,
    ) -> None:
        self._device = device or torch.device("cpu")
        projector, self.identity = backbone.projector, load_identity(identity)
        if projector.module is not None:
            projector.module.to(self._device)
        self._see = embedder_on(self.identity, self._device)
        size = size or self.identity.input_side
        rounded, exact = projector.preview, partial(projector.synthesize, noise=projector.noise_kinds[0], size=size)
        self._draw = rounded(size) if precision == "bf16" else exact
        self.precision, self.checkpointing = precision, checkpointing

    def __call__(self, codes: Tensor) -> Tensor:
        """Unit embeddings [n, E] of codes [n, L, D]."""
        if self.checkpointing and torch.is_grad_enabled():
            found: Tensor = checkpoint(self._embed, codes, use_reentrant=False)
            return found
        return self._embed(codes)

    def _embed(self, codes: Tensor) -> Tensor:
        pictures = self._draw(codes).float().to(self._device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            found = self._see(pictures)
        return F.normalize(found.float(), dim=1)


class Projection(nn.Module):
    """The student report's stand-in for a generator: a fixed random matrix, its rows of length one, and a ReLU.

    Kept to reproduce its training; it knows nothing about faces. size: numbers of a code, L·D.
    """

    matrix: Tensor

    def __init__(self, size: int, outputs: int = 512, seed: int = 42) -> None:
        super().__init__()
        drawn = torch.randn(outputs, size, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("matrix", F.normalize(drawn, dim=1))

    def forward(self, codes: Tensor) -> Tensor:
        """Unit embeddings [n, 512] of codes [n, L, D]."""
        return F.normalize(F.relu(codes.flatten(1) @ self.matrix.T), dim=1)
