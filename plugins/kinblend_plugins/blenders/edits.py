"""How far a child should move along named directions, by how both parents look.

Source: the second network of the student report that kinblend began as, whose three directions were age, gender and
smile.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

LIMIT = 2.0  # strengths stay within, in standard deviations of the attribute
PREFIX, STEP = "edits.", "edits.step."
_SLOPE, _DROPOUT = 0.2, 0.3


class EditParameterModel(nn.Module):
    """Two codes → a strength for each direction, in [−LIMIT, LIMIT]. It begins at none."""

    def __init__(self, layers: int, dim: int, count: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(2 * layers * dim, 256),
            nn.LeakyReLU(_SLOPE),
            nn.Dropout(_DROPOUT),
            nn.Linear(256, 64),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(64, count),
        )
        last = cast(nn.Linear, self.body[-1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        """Both [n, L, D] → [n, k]: the same for either order of the parents."""
        father, mother = father.flatten(1), mother.flatten(1)
        both = self.body(torch.cat([father, mother], 1)) + self.body(torch.cat([mother, father], 1))
        return LIMIT * torch.tanh(both / 2)


class Edits(nn.Module):
    """The strengths and the directions they are of.

    steps: attribute → how a code changes with one standard deviation, float32 [L, D].
    """

    steps: Tensor

    def __init__(self, steps: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.names: Sequence[str] = sorted(steps)
        stacked = torch.stack([steps[name] for name in self.names])
        self.register_buffer("steps", stacked, persistent=False)
        self.network = EditParameterModel(stacked.shape[1], stacked.shape[2], len(steps))

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        """How the child's code moves: both parents [n, L, D] → [n, L, D]."""
        return torch.einsum("nk,kld->nld", self.network(father, mother), self.steps)

    def state(self) -> dict[str, Tensor]:
        """Everything, named for a file that holds the weight network as well."""
        steps = {STEP + name: step.clone() for name, step in zip(self.names, self.steps, strict=True)}
        return {PREFIX + name: tensor for name, tensor in self.state_dict().items()} | steps


def split_state(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """The tensors of a file: the weight network's, those of `Edits`, and its steps; the last two may be empty."""
    steps = {name.removeprefix(STEP): tensor for name, tensor in tensors.items() if name.startswith(STEP)}
    ours = {n.removeprefix(PREFIX): t for n, t in tensors.items() if n.startswith(PREFIX) and not n.startswith(STEP)}
    return {n: t for n, t in tensors.items() if not n.startswith(PREFIX)}, ours, steps
