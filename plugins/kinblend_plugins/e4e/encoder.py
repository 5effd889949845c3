"""Aligned faces → codes with encoder4editing (Tov et al. 2021), pSp (Richardson et al. 2021) and ReStyle (Alaluf et
al. 2021)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import BaseModel
from torch import Tensor

from kinblend import Context
from kinblend.cancellation import check_cancelled
from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError, LatentShapeError, PackError
from kinblend.inversion import TuningEncoder
from kinblend.tensor_files import SafetensorError, load_file
from kinblend_plugins.e4e.network import Encoder4Editing
from kinblend_plugins.e4e.restyle_network import RestyleNetwork, build_restyle

PASSES = 5  # of ReStyle, as its authors make
_FILE = "encoder.safetensors"
_AVERAGE = "latent_avg"


class E4eEncoder(TuningEncoder):
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
        tensors = _read(context)
        self.average = _average(tensors.pop(_AVERAGE, None), context)
        self.module = self.network = self._build(tensors)

    def _build(self, tensors: Mapping[str, Tensor]) -> Any:
        return build(tensors, self.space.layers, self.offsets)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, 256, 256] in [−1, 1] → float32 [n, L, 512] on the CPU, the latent average added.

        Raises `LatentShapeError` for another size.
        """
        self._check(images)
        return self._codes(images) + self.average

    def _check(self, images: Tensor) -> None:
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, self.input_size, self.input_size):
            raise LatentShapeError(f"{self.name or 'e4e'} takes images [n, 3, 256, 256], not {list(images.shape)}")

    def _codes(self, images: Tensor) -> Tensor:
        """What the network gives, float32 on the CPU."""
        result: Tensor = self.network(images.to(next(self.network.parameters()))).float().cpu()
        return result


class PspEncoder(E4eEncoder):
    """pixel2style2pixel: the same network and tensors, whose heads give whole codes (its `GradualStyleEncoder`)."""

    offsets = False


class RestyleEncoder(E4eEncoder):
    """ReStyle: pass for pass, a network looks at the face and at its reconstruction, and says what the code lacks.

    It begins with the latent average. Where the pack's settings say that `offsets` is true, the network's heads after
    the first give offsets from its code, as encoder4editing's do; else whole codes, as pSp's.
    """

    uses_projector = True

    def _build(self, tensors: Mapping[str, Tensor]) -> RestyleNetwork:
        return build_restyle(tensors, self.space.layers, bool(self.context.settings.get("offsets", False)))

    @property
    def passes(self) -> int:
        """How often a reconstruction is looked at."""
        return int(self.options.passes or self.context.settings.get("passes", PASSES))

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """As `E4eEncoder.encode`; each pass also renders the pictures."""
        self._check(images)
        codes = self.average.expand(len(images), -1, -1)
        for _ in range(self.passes):
            check_cancelled()
            codes = codes + self._codes(torch.cat([images, self._shown(codes)], dim=1))
        return codes

    def _shown(self, codes: Tensor) -> Tensor:
        """Pictures of codes, [n, 3, 256, 256]: whole ones, averaged down, which is what the network learned from."""
        assert self.context.projector is not None, "an encoder that uses the projector is made with one"
        projector = self.context.projector()
        pictures = [projector.synthesize(code[None], noise=projector.noise_kinds[0]) for code in codes]
        return F.adaptive_avg_pool2d(torch.cat(pictures), self.input_size)


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
