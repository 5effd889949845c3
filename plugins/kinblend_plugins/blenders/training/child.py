"""Parents' codes → the child's code: the weight network and, where asked for, the edit parameters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kinblend import Engine
from kinblend_plugins.blenders.displacement import Prediction, predict
from kinblend_plugins.blenders.edits import Edits
from kinblend_plugins.blenders.network import make_network
from kinblend_plugins.blenders.training.options import TrainOptions


class ChildModel(nn.Module):
    """What is trained. steps: of the directions whose strengths are learned; none for weights alone. size: of the
    embeddings.

    In bfloat16 only while it is trained, and there only the weight network: what it gives is float32.
    """

    def __init__(
        self, options: TrainOptions, layers: int, dim: int, steps: Mapping[str, Tensor], size: int = 128
    ) -> None:
        super().__init__()
        self.weights = make_network(options.head, layers, dim, options.symmetric, size)
        self.edits = Edits(steps) if steps else None
        self.mixed = options.mixed

    def forward(self, father: Tensor, mother: Tensor) -> Tensor:
        """Codes [n, L, D] → the child's codes [n, L, D]."""
        with torch.autocast(father.device.type, torch.bfloat16, enabled=self.mixed and self.training):
            found = predict(self.weights, father, mother)
        offset = None if found.offset is None else found.offset.float()
        child = Prediction(found.weights.float(), offset).child(father, mother)
        return child if self.edits is None else child + self.edits(father, mother)

    def state(self) -> dict[str, Tensor]:
        """The tensors that the blender reads."""
        edits = {} if self.edits is None else self.edits.state()
        return {name: tensor.cpu().clone() for name, tensor in (self.weights.state_dict() | edits).items()}


def directions(backbone: str | None, names: tuple[str, ...]) -> dict[str, Tensor]:
    """How the mean code changes with one standard deviation of each attribute, by the editor in use: [L, D] each.

    Raises `UsageError` for an attribute that it doesn't know.
    """
    if not names:
        return {}
    engine = Engine(backbone)
    editor, space = engine.editor(), engine.backbone.space
    mean = torch.zeros(1, space.layers, space.dim)
    return {name: (editor.edit(mean, {name: 1.0}) - mean)[0] for name in names}
