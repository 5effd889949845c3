"""What a linear reader of codes misses: a layer of hidden units."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Hidden:
    """weights · relu(units · x + bias), x the means of a code over groups of layers.

    units: float32 [H, G, D]. bias: float32 [H]. weights: float32 [H], in standard deviations of the attribute.
    starts: the first layer of each group.
    """

    units: Tensor
    bias: Tensor
    weights: Tensor
    starts: tuple[int, ...]

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], name: str, facts: Mapping) -> "Hidden | None":
        """That of one attribute of a file, if it has one."""
        if f"{name}.units" not in tensors:
            return None
        units, bias, weights = (tensors[f"{name}.{part}"] for part in ("units", "bias", "weights"))
        return cls(units, bias, weights, tuple(facts["starts"]))

    def reading(self, codes: Tensor) -> Tensor:
        """Standard deviations to add to a linear reader's: [n, L, D] → [n]."""
        ends = (*self.starts[1:], codes.shape[1])
        means = [codes[:, first:end].mean(1) for first, end in zip(self.starts, ends, strict=True)]
        return torch.relu(torch.cat(means, 1) @ self.units.flatten(1).T + self.bias) @ self.weights
