"""From latents to embeddings, differentiably: what the weight network is trained through."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend import Backbone
from kinblend.identity import chips, identity_network

SIZE = 224  # px of the pictures that are looked at; the identity network sees 150 of them


class Render:
    """Codes → the picture → dlib's embedding of it: true gradients, through projector and identity network."""

    def __init__(self, backbone: Backbone) -> None:
        self.projector = backbone.projector
        self.identity = identity_network()

    def __call__(self, codes: Tensor) -> Tensor:
        """Unit embeddings [n, 128] of codes [n, L, D]."""
        pictures = self.projector.synthesize(codes, noise=self.projector.noise_kinds[0], size=SIZE)
        return F.normalize(self.identity(chips(pictures)), dim=1)


class Projection(nn.Module):
    """The student report's stand-in for a generator: a fixed random matrix, its rows of length one, and a ReLU.

    Kept to reproduce its training; it knows nothing about faces.
    """

    matrix: Tensor

    def __init__(self, size: int, outputs: int = 128, seed: int = 42) -> None:
        super().__init__()
        drawn = torch.randn(outputs, size, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("matrix", F.normalize(drawn, dim=1))

    def forward(self, codes: Tensor) -> Tensor:
        """Unit embeddings [n, 128] of codes [n, L, D]."""
        return F.normalize(F.relu(codes.flatten(1) @ self.matrix.T), dim=1)
