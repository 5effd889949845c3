"""Aligned faces → codes with the encoder that was trained together with a small StyleGAN2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend import Context
from kinblend.errors import CheckpointError, LatentShapeError
from kinblend.inversion import TuningEncoder
from kinblend_plugins.stylegan2.encoder_network import EncoderNetwork
from kinblend_plugins.stylegan2.files import read_tensors

if TYPE_CHECKING:
    from pydantic import BaseModel

_FILE = "encoder.safetensors"
_AVERAGE = "latent_avg"


class CompactEncoder(TuningEncoder):
    """The encoder that `encoder.safetensors` holds, with `latent_avg` [L, D], the mean code of its training faces.

    Raises `PackError` where the file is missing or damaged, `CheckpointError` naming the tensor that does not fit.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        tensors = read_tensors(context, _FILE)
        shape = (context.space.layers, context.space.dim)
        average = tensors.pop(_AVERAGE, None)
        if average is None or tuple(average.shape) != shape:
            found = "missing" if average is None else f"of shape {list(average.shape)}"
            raise CheckpointError(f"the encoder's tensor {_AVERAGE} is {found}; {list(shape)} is needed")
        self.module = self.network = build(tensors, *shape)
        self.average = average.float()
        self.input_size = self.network.resolution

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, R, R] in [−1, 1] → float32 [n, L, D] on the CPU, the latent average added.

        Raises `LatentShapeError` for another size.
        """
        size = self.input_size
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, size, size):
            raise LatentShapeError(f"this encoder takes images [n, 3, {size}, {size}], not {list(images.shape)}")
        codes, _ = self.network(images.to(self.network.stem.weight))
        result: Tensor = codes.float().cpu() + self.average
        return result


def build(tensors: Mapping[str, Tensor], layers: int, dim: int) -> EncoderNetwork:
    """The network that fits `tensors`, holding them, for inference; its widths come from their shapes.

    Raises `CheckpointError` naming the tensor that does not fit.
    """
    blocks = sum(bool(re.fullmatch(r"body\.\d+\.second\.bias", name)) for name in tensors)
    names = ["stem.bias", *(f"body.{block}.second.bias" for block in range(blocks)), "lateral.0.bias"]
    missing = [name for name in names if name not in tensors or tensors[name].ndim != 1]
    if missing or blocks < 2:
        raise CheckpointError(f"the encoder's tensor {(missing or names)[0]} is missing; train the pack again")
    *widths, channels = [len(tensors[name]) for name in names]
    with torch.device("meta"):
        network = EncoderNetwork(widths, channels, layers, dim)
    expected = network.state_dict()
    for name in sorted(set(expected) ^ set(tensors)):
        kind = "missing" if name in expected else "unknown"
        raise CheckpointError(f"the encoder's tensor {name} is {kind}; train or pull the pack again")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise CheckpointError(
                f"the encoder's tensor {name} has shape {list(tensor.shape)}; {list(expected[name].shape)} is needed"
            )
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return network.eval().requires_grad_(False)
