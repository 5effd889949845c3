"""Aligned faces → W+ codes: a network's guess, refined by optimisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kinblend import AlignedFace, Context, Latent
from kinblend.checkpoints import build_network
from kinblend.errors import CheckpointError, LatentShapeError
from kinblend.identity.dlib_resnet import DlibResNet, read_network, weights_file
from kinblend.imaging import to_batch
from kinblend.inversion import (
    Steps,
    TuningEncoder,
    Whitening,
    each_in_a_thread,
    identity_features,
    refine,
    tune_faces,
)
from kinblend_plugins.wplus.files import read_parts
from kinblend_plugins.wplus.network import SIDE, EncoderNetwork

if TYPE_CHECKING:
    from pydantic import BaseModel


Draw = Callable[[Tensor], Tensor]


class Networks(nn.Module):
    """What a device pool leases: the trained network, the space of its codes, and dlib's recognition network."""

    def __init__(self, network: EncoderNetwork, space: Whitening, identity: DlibResNet) -> None:
        super().__init__()
        self.network, self.space, self.identity = network, space, identity


class WPlusEncoder(TuningEncoder):
    """The encoder in `encoder.safetensors`, or in its parts `encoder-00.safetensors`, `encoder-01.safetensors` …

    options: `EncoderOptions`. Raises `PackError` where a file is missing, and `CheckpointError` naming the tensor
    that does not fit.
    """

    input_size = SIDE
    batch_invariant = True

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        network, space = build(read_parts(context, "encoder"), context.space.layers, context.space.dim)
        self.module = self.networks = Networks(network, space, read_network(weights_file()))
        self.uses_projector = self.options.refine > 0 or self.options.tune > 0

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, 256, 256] in [−1, 1] → float32 [n, L, D] on the CPU: the network's guess, not refined.

        Raises `LatentShapeError` for another size.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != (3, SIDE, SIDE):
            raise LatentShapeError(f"this encoder takes images [n, 3, {SIDE}, {SIDE}], not {list(images.shape)}")
        networks = self.networks
        like = networks.network.to_w.weight
        images = images.to(like.device, torch.float32)
        features = identity_features(networks.identity, images)
        whitened, offsets = networks.network(images.to(like.dtype), features)
        return networks.space.codes(whitened.float(), offsets.float()).cpu()

    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents of aligned faces, refined and tuned by as many steps as the options say."""
        pictures = to_batch([face.image for face in faces], SIDE)
        # One by one: a latent must not depend on who else is encoded.
        codes = [self.encode(picture[None]) for picture in pictures]
        if self.context.projector is None:
            return [Latent(code[0], self.space) for code in codes]
        told = Steps((self.options.refine + self.options.tune) * len(faces))
        if self.options.refine:
            codes = self._refined(pictures, codes, told)
        latents = [Latent(code[0], self.space) for code in codes]
        return tune_faces(self.context, faces, latents, self.options.tune, told)

    def _refined(self, pictures: Tensor, codes: Sequence[Tensor], told: Steps) -> list[Tensor]:
        assert self.context.projector is not None
        projector = self.context.projector()
        draw, coarse = projector.preview(SIDE), projector.preview(SIDE // 2)

        def work(pair: tuple[Tensor, Tensor]) -> Tensor:
            picture, code = pair
            return self._refine(draw, coarse, picture[None], code, told)

        return each_in_a_thread(work, zip(pictures, codes, strict=True))

    def _refine(
        self, draw: Draw, coarse: Draw, picture: Tensor, code: Tensor, progress: Callable[[int, float], None]
    ) -> Tensor:
        networks = self.networks
        where = networks.space.centre.device
        found = refine(
            draw,
            networks.space,
            networks.identity,
            picture.to(where),
            code.to(where),
            self.options.refine,
            progress,
            coarse=coarse,
        )
        return found.cpu()


def build(tensors: Mapping[str, Tensor], layers: int, dim: int) -> tuple[EncoderNetwork, Whitening]:
    """The network and the space of its codes that `tensors` hold. Raises `CheckpointError` naming what does not
    fit."""
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "space": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        if part not in parts:
            raise CheckpointError(f"the encoder's tensor {name} is unknown; import its pack again")
        parts[part][rest] = tensor
    hint = "import its pack again"
    network = build_network(lambda: EncoderNetwork(layers, dim), parts["network"], "the encoder", hint)
    return network, build_network(lambda: Whitening(dim), parts["space"], "the encoder", hint)
