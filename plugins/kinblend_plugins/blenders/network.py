"""Networks that give each latent dimension of each layer a weight of its own: the original, and smaller heads.

All take both codes, float32 [n, L, D], the father's first, and give the father's share, [n, L, D] in [0, 1].
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from kinblend_plugins.blenders.displacement import DisplacementModel

_SLOPE, _DROPOUT = 0.2, 0.3


class AdaptiveDimensionWeightModel(nn.Module):
    """Two codes → the father's share of every element.

    layers, dim: of the codes. Its input is both codes, the father's first, flattened: 2·L·D numbers.
    Source: the student report that kinblend began as; names and shapes as there.
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
        result: Tensor = self.weight_decoder(features).view(-1, self.layers, self.dim)
        return result


class LowRankWeightModel(nn.Module):
    """The logits are a fixed map and a few more, mixed by how the parents look: 2·L·D·hidden weights, not millions.

    It begins as `average`.
    """

    def __init__(self, layers: int, dim: int, rank: int = 8, hidden: int = 64) -> None:
        super().__init__()
        self.layers, self.dim = layers, dim
        self.encoder = _encoder(layers, dim, hidden)
        self.mix = nn.Linear(hidden, rank)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)
        self.basis = nn.Parameter(0.1 * torch.randn(rank, layers * dim))
        self.fixed = nn.Parameter(torch.zeros(layers * dim))

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        features = self.encoder(torch.cat([father.flatten(1), mother.flatten(1)], dim=1))
        logits = self.fixed + self.mix(features) @ self.basis
        result: Tensor = logits.sigmoid().view(-1, self.layers, self.dim)
        return result


class PerLayerWeightModel(nn.Module):
    """One share for each layer. It begins as `average`."""

    def __init__(self, layers: int, dim: int, hidden: int = 64) -> None:
        super().__init__()
        self.layers, self.dim = layers, dim
        self.encoder = _encoder(layers, dim, hidden)
        self.layer_logits = nn.Linear(hidden, layers)
        nn.init.zeros_(self.layer_logits.weight)
        nn.init.zeros_(self.layer_logits.bias)

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        features = self.encoder(torch.cat([father.flatten(1), mother.flatten(1)], dim=1))
        result: Tensor = self.layer_logits(features).sigmoid()[:, :, None].expand(-1, -1, self.dim)
        return result


class ElementWeightModel(nn.Module):
    """Each element by itself: a fixed share, moved towards the parent whose value there is farther from the mean.

    Two numbers an element, learned at `PACE` times the pace of a matrix's. It begins as `average`.
    """

    PACE = 30.0

    def __init__(self, layers: int, dim: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(layers, dim))
        self.fixed = nn.Parameter(torch.zeros(layers, dim))

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        return (self.PACE * (self.fixed + self.gain * (father.abs() - mother.abs()))).sigmoid()


class OffsetWeightModel(nn.Module):
    """Says where the parents' average should be moved, and takes of each element more from the parent who lies there.

    The offset follows from the sum of both codes and from how far they are apart, so that w(f, m) + w(m, f) = 1. It
    begins as `average`. The elements' own gains and the decoder learn at so many times the pace of the encoder.
    """

    GAIN_PACE, PACE = 30.0, 3.0

    def __init__(self, layers: int, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.layers, self.dim = layers, dim
        self.offset_encoder = nn.Sequential(nn.Linear(2 * layers * dim, hidden), nn.GELU(), nn.Dropout(_DROPOUT))
        self.offset_decoder = nn.Linear(hidden, layers * dim)
        nn.init.zeros_(self.offset_decoder.weight)
        nn.init.zeros_(self.offset_decoder.bias)
        self.offset_gain = nn.Parameter(torch.zeros(layers * dim))

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        both, apart = (father + mother).flatten(1), (father - mother).flatten(1)
        features = self.offset_encoder(torch.cat([both, apart.abs()], dim=1))
        offset = self.GAIN_PACE * self.offset_gain * both + self.PACE * self.offset_decoder(features)
        result: Tensor = (offset * apart).sigmoid().view(-1, self.layers, self.dim)
        return result


class SymmetricWeightModel(nn.Module):
    """Any of them asked in both orders, so that w(f, m) + w(m, f) = 1: whose father it is changes nothing else."""

    def __init__(self, symmetric: nn.Module) -> None:
        super().__init__()
        self.symmetric = symmetric

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        weights: Tensor = (self.symmetric(father, mother) + 1 - self.symmetric(mother, father)) / 2
        return weights


HEADS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "full": AdaptiveDimensionWeightModel,
    "low-rank": LowRankWeightModel,
    "per-layer": PerLayerWeightModel,
    "element": ElementWeightModel,
    "offset": OffsetWeightModel,
    "displacement": DisplacementModel,
}
# A tensor that only a network of this head has.
_MARKS = {
    "low-rank": "basis",
    "per-layer": "layer_logits.weight",
    "element": "gain",
    "offset": "offset_gain",
    "displacement": "writer.weight",
}
_SYMMETRIC = "symmetric."
_SIZE = "heredity.bias"  # has as many elements as the embeddings that the head reads


def make_network(head: str, layers: int, dim: int, symmetric: bool = False, size: int = 128) -> nn.Module:
    """A network before training. head: of HEADS. size: of the embeddings, where the head reads any."""
    if head == "displacement":
        return DisplacementModel(layers, dim, size)  # symmetric as it is
    network = HEADS[head](layers, dim)
    return SymmetricWeightModel(network) if symmetric else network


def checkpoint_format(tensors: Mapping[str, Tensor]) -> tuple[str, bool, int]:
    """The head of a state dict, whether it is symmetric, and the size of the embeddings that it reads; 0: of none."""
    symmetric = any(name.startswith(_SYMMETRIC) for name in tensors)
    prefix = _SYMMETRIC if symmetric else ""
    head = next((head for head, mark in _MARKS.items() if prefix + mark in tensors), "full")
    return head, symmetric, tensors[_SIZE].numel() if _SIZE in tensors else 0


def _encoder(layers: int, dim: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2 * layers * dim, hidden), nn.LeakyReLU(_SLOPE), nn.Dropout(_DROPOUT))
