"""Inheritance as a network learned it from families."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kinblend import Blend, Blender, Context, WeightMap
from kinblend.blend import weighted_sum
from kinblend.checkpoints import build_network, read_torch, validate_tensors
from kinblend.errors import CheckpointError, OptionError, WeightsMissingError
from kinblend_plugins.blenders.displacement import predict
from kinblend_plugins.blenders.edits import Edits, split_state
from kinblend_plugins.blenders.int8_state import unpack
from kinblend_plugins.blenders.network import checkpoint_format, make_network

if TYPE_CHECKING:
    from pydantic import BaseModel

FILE = "blender.safetensors"


class LearnedBlender(Blender):
    """The weight map that a trained network gives, from the options' file or the pack's; its edits where asked for.

    A network may also say what is to be added to the weighted sum (`displacement`): the blend's `offset`.

    Raises `WeightsMissingError` where there is none, and `CheckpointError` naming the tensor that does not fit.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        path = self.options.weights or context.files.get(FILE)
        if path is None:
            raise WeightsMissingError(
                f"{context.space.backbone} has no weights for learned yet: use another strategy, train some with "
                "`kinblend train blender learned --trios FILE`, or give a file by its option weights"
            )
        tensors, edits, steps = split_state(_read(Path(path)))
        if self.options.edits and not steps:
            raise OptionError(f"{path} has no edit parameters; train it with edits=age,gender,smile")
        self.module = self.network = build(tensors, context.space.layers, context.space.dim)
        self.edits = build_edits(edits, steps) if self.options.edits else None

    @torch.inference_mode()
    def weights(self, father: Tensor, mother: Tensor, seed: int) -> Tensor:
        return self._predict(father, mother)[0]

    @torch.inference_mode()
    def blend(self, father: Tensor, mother: Tensor, seed: int) -> Blend:
        weights, offset = self._predict(father, mother)
        code = weighted_sum(father, mother, weights)
        if self.edits is not None:
            moved = self.edits(father[None], mother[None])[0]
            offset = moved if offset is None else offset + moved
        if offset is not None:
            code = code + offset
        return Blend(code.clone(), WeightMap(weights.clone(), self.space), offset=offset)

    def _predict(self, father: Tensor, mother: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights and offset, [L, D] each, moved by the share."""
        weights, offset = self._ask(father, mother)
        if self.options.symmetric:
            weights = (weights + 1 - self._ask(mother, father)[0]) / 2
        share = self.options.share
        return _shifted(weights, share), None if offset is None else offset * (4 * share * (1 - share))

    def _ask(self, father: Tensor, mother: Tensor) -> tuple[Tensor, Tensor | None]:
        like = next(iter(self.network.parameters()))
        weights, offset = predict(self.network, father[None].to(like), mother[None].to(like))
        return weights[0].float().cpu(), None if offset is None else offset[0].float().cpu()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weight network's tensors of a file. Raises `CheckpointError`."""
    return split_state(_read(path))[0]


def build(tensors: dict[str, Tensor], layers: int, dim: int) -> nn.Module:
    """The network holding `tensors`, of whichever head they are, ready to be asked. Raises `CheckpointError`."""
    head, symmetric, size = checkpoint_format(tensors)
    hint = f"weights for latents [{layers}, {dim}] are needed. Were they trained on another backbone?"
    return build_network(
        lambda: make_network(head, layers, dim, symmetric, size), tensors, "the weight network", hint
    )


def build_edits(tensors: dict[str, Tensor], steps: dict[str, Tensor]) -> Edits:
    """The edit parameters of a file. Raises `CheckpointError`."""
    edits = Edits(steps)
    hint = "they are of other directions; train them again"
    edits.network = build_network(
        lambda: Edits({name: step.to("meta") for name, step in steps.items()}).network,
        {name.removeprefix("network."): tensor for name, tensor in tensors.items()},
        "the edit parameters",
        hint,
    )
    return edits


def _read(path: Path) -> dict[str, Tensor]:
    """A state dict; the report's own files wrap it as `model_state_dict` and put `model.` before every name."""
    if path.suffix == ".safetensors":
        from kinblend.tensor_files import SafetensorError, load_file

        try:
            content: object = load_file(path)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path} can't be read: {error}") from error
    else:
        content = read_torch(path)
    if isinstance(content, dict) and "model_state_dict" in content:
        content = content["model_state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(f"{path} holds no state dict")
    validate_tensors(path, content)
    return unpack({name.removeprefix("model."): tensor for name, tensor in content.items()})


def _shifted(weights: Tensor, share: float) -> Tensor:
    """The weights with their odds multiplied by those of the share."""
    if share in (0.0, 1.0):
        return torch.full_like(weights, share)
    if share == 0.5:
        return weights
    return weights * share / (weights * share + (1 - weights) * (1 - share))
