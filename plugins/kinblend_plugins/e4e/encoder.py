"""Aligned faces → codes with encoder4editing (Tov et al., 2021) and pSp (Richardson et al., 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend import Context, Encoder
from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError, LatentShapeError, PackError
from kinblend.tensor_files import SafetensorError, load_file
from kinblend_plugins.e4e.network import Encoder4Editing

if TYPE_CHECKING:
    from pydantic import BaseModel

_FILE = "encoder.safetensors"
_AVERAGE = "latent_avg"


class E4eEncoder(Encoder):
    """The encoder that `encoder.safetensors` holds: tensors named as published, and `latent_avg` [L, 512].

    Where the pack's settings say that `start_from_latent_avg` is false, codes start from nothing, and it has none.
    Raises `PackError` where the file is missing or damaged, `CheckpointError` naming the tensor that does not fit.
    """

    input_size = 256
    offsets = True  # whether the heads after the first give offsets from its code

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        if context.space.dim != 512:
            raise PackError(f"e4e makes codes of 512 dimensions; the pack's latent space is {context.space}")
        tensors, layers = _read(context), context.space.layers
        self.average = _average(tensors.pop(_AVERAGE, None), context)
        self.module = self.network = build(tensors, layers, self.offsets)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, 256, 256] in [−1, 1] → float32 [n, L, 512] on the CPU, the latent average added.

        Raises `LatentShapeError` for another size.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, self.input_size, self.input_size):
            raise LatentShapeError(f"e4e takes images [n, 3, 256, 256], not {list(images.shape)}")
        codes = self.network(images.to(self.network.latlayer1.weight)).cpu()
        result: Tensor = codes + self.average
        return result


class PspEncoder(E4eEncoder):
    """pixel2style2pixel: the same network and tensors, whose heads give whole codes (its `GradualStyleEncoder`)."""

    offsets = False


def build(tensors: Mapping[str, Tensor], layers: int, offsets: bool = True) -> Encoder4Editing:
    """The network holding `tensors`, for inference. offsets: as `Encoder4Editing` takes it.

    Raises `CheckpointError` naming the tensor that does not fit.
    """
    hint = f"an e4e or pSp encoder for {layers} layers is needed"
    network = build_network(lambda: Encoder4Editing(layers, offsets), tensors, "the encoder", hint)
    network.fold()
    return network


def _average(found: Tensor | None, context: Context) -> Tensor:
    """What is added to the codes: float32 [L, 512]."""
    shape = (context.space.layers, 512)
    if context.settings.get("start_from_latent_avg", True) is False:
        return torch.zeros(shape)
    if found is None or tuple(found.shape) != shape:
        what = "missing" if found is None else f"of shape {list(found.shape)}"
        raise CheckpointError(f"the encoder's tensor {_AVERAGE} is {what}; {list(shape)} is needed")
    return found.float()


def _read(context: Context) -> dict[str, Tensor]:
    if _FILE not in context.files:
        raise PackError(f"the pack of '{context.space.backbone}' has no {_FILE}; import an e4e checkpoint")
    try:
        return load_file(context.files[_FILE])
    except (OSError, SafetensorError) as error:
        raise PackError(f"{context.files[_FILE]} can't be read: {error}; pull or import its pack again") from error
