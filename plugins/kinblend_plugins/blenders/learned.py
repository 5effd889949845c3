"""Inheritance as a network learned it from families."""

from pathlib import Path

import torch
from torch import Tensor

from kinblend import Blender, build_network, check_weights, read_torch
from kinblend.errors import CheckpointError, WeightsMissingError
from kinblend_plugins.blenders.network import AdaptiveDimensionWeightModel
from kinblend_plugins.blenders.packed import unpack

FILE = "blender.safetensors"


class LearnedBlender(Blender):
    """The weight map that a trained AdaptiveDimensionWeightModel gives, from the options' file or the pack's.

    Raises `WeightsMissingError` where there is none, and `CheckpointError` naming the tensor that does not fit.
    """

    def __init__(self, options, context):
        super().__init__(options, context)
        path = options.weights or context.files.get(FILE)
        if path is None:
            raise WeightsMissingError(
                f"there are no trained weights for '{context.space.backbone}'; train them with "
                "`kinblend train blender learned --trios FILE`, or give a file with --set blender.weights=FILE"
            )
        self.module = self.network = build(_read(Path(path)), context.space.layers, context.space.dim)

    @torch.inference_mode()
    def weights(self, father, mother, seed):
        weights = self._ask(father, mother)
        if self.options.symmetric:
            weights = (weights + 1 - self._ask(mother, father)) / 2
        return _shifted(weights, self.options.share)

    def _ask(self, father, mother):
        weight = self.network.attention[0].weight
        return self.network(father[None].to(weight), mother[None].to(weight))[0].float().cpu()


def build(tensors: dict[str, Tensor], layers: int, dim: int) -> AdaptiveDimensionWeightModel:
    """The network holding `tensors`, ready to be asked. Raises `CheckpointError`."""
    hint = f"weights for latents [{layers}, {dim}] are needed. Were they trained on another backbone?"
    return build_network(lambda: AdaptiveDimensionWeightModel(layers, dim), tensors, "the weight network", hint)


def _read(path: Path) -> dict[str, Tensor]:
    """A state dict; the report's own files wrap it as `model_state_dict` and put `model.` before every name."""
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

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
    check_weights(path, content)
    return unpack({name.removeprefix("model."): tensor for name, tensor in content.items()})


def _shifted(weights: Tensor, share: float) -> Tensor:
    """The weights with their odds multiplied by those of the share."""
    if share in (0.0, 1.0):
        return torch.full_like(weights, share)
    if share == 0.5:
        return weights
    return weights * share / (weights * share + (1 - weights) * (1 - share))
