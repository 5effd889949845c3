"""The network that gives each latent dimension of each layer a weight of its own.

Source: the AdaptiveDimensionWeightModel of the student report that kinblend began as; names and shapes as there.
"""

import torch
from torch import Tensor, nn

_SLOPE, _DROPOUT = 0.2, 0.3


class AdaptiveDimensionWeightModel(nn.Module):
    """Two codes → the father's share of every element.

    layers, dim: of the codes. Its input is both codes, the father's first, flattened: 2·L·D numbers.
    """

    def __init__(self, layers: int, dim: int) -> None:
        super().__init__()
        self.layers, self.dim = layers, dim
        both = 2 * layers * dim
        self.encoder = nn.Sequential(
            nn.Linear(both, 2048),
            nn.LeakyReLU(_SLOPE),
            nn.BatchNorm1d(2048),
            nn.Dropout(_DROPOUT),
            nn.Linear(2048, 1024),
            nn.LeakyReLU(_SLOPE),
            nn.BatchNorm1d(1024),
            nn.Dropout(_DROPOUT),
            nn.Linear(1024, 512),
            nn.LeakyReLU(_SLOPE),
            nn.BatchNorm1d(512),
        )
        self.attention = nn.Sequential(nn.Linear(both, 256), nn.ReLU(), nn.Linear(256, both), nn.Sigmoid())
        self.weight_decoder = nn.Sequential(
            nn.Linear(512, 1024),
            nn.LeakyReLU(_SLOPE),
            nn.BatchNorm1d(1024),
            nn.Linear(1024, 2048),
            nn.LeakyReLU(_SLOPE),
            nn.BatchNorm1d(2048),
            nn.Linear(2048, layers * dim),
            nn.Sigmoid(),
        )

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        """Both [n, L, D] → [n, L, D] in [0, 1]."""
        both = torch.cat([father.flatten(1), mother.flatten(1)], dim=1)
        features = self.encoder(both * self.attention(both))
        return self.weight_decoder(features).view(-1, self.layers, self.dim)
