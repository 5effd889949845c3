"""Aligned faces → codes with a ResNet-50, and then by optimisation, as the forks of Puzer's stylegan-encoder have it.

There (pbaylies/stylegan-encoder, rolux/stylegan2encoder) a ResNet-50 that was trained on pairs of codes and pictures
guesses the code that optimisation begins with. Their published weights are Keras', with heads of their own; what is
read here is a ResNet-50 in torchvision's layout with one linear layer for a head: see `resnet_network`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from kinblend import AlignedFace, Context, Latent
from kinblend.checkpoints import read_safetensors
from kinblend.errors import CheckpointError, PackError
from kinblend.identity.dlib_resnet import DlibResNet, read_network, weights_file
from kinblend.imaging import to_batch
from kinblend.inversion import TuningEncoder, tune_faces
from kinblend_plugins.inversion.resnet_network import CodeResNet, build_resnet
from kinblend_plugins.inversion.search import SIDE, CodeSearch, check_faces

if TYPE_CHECKING:
    from pydantic import BaseModel

FILE = "resnet.safetensors"
AVERAGE = "latent_avg"


class Networks(nn.Module):
    """What a device pool leases: the trained network, and dlib's recognition network where codes are refined."""

    def __init__(self, network: CodeResNet, identity: DlibResNet | None) -> None:
        super().__init__()
        self.network, self.identity = network, identity


class ResNetEncoder(TuningEncoder):
    """The network in `resnet.safetensors` of the pack: its tensors, and `latent_avg` [L, D] where codes are offsets
    from that. A pack with an encoder of its own may have it as well.

    Faces of 256 px are normalised with the mean and deviation of ImageNet's pictures, as torchvision's weights want
    it. options: `ResNetOptions`. Raises `PackError` where the file is missing or damaged, `CheckpointError` naming
    the tensor that does not fit, and `UnsupportedError` where the projector can't be optimised through.
    """

    input_size = SIDE

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        if FILE not in context.files:
            raise PackError(f"the pack of '{context.space.backbone}' has no {FILE}; add it, or import a checkpoint")
        tensors = read_safetensors(context.files[FILE])
        layers, dim = context.space.layers, context.space.dim
        average = tensors.pop(AVERAGE, torch.zeros(layers, dim))
        if tuple(average.shape) != (layers, dim):
            raise CheckpointError(
                f"the encoder's tensor {AVERAGE} has shape {list(average.shape)}; {[layers, dim]} is needed"
            )
        self.average = average.float()
        refines = self.options.refine > 0
        self.uses_projector = refines or self.options.tune > 0
        self.search = CodeSearch(context) if refines else None
        identity = read_network(weights_file()) if refines else None
        self.module = self.networks = Networks(build_resnet(tensors, layers, dim), identity)

    @torch.inference_mode()
    def encode(self, images: Tensor) -> Tensor:
        """float32 [n, 3, 256, 256] in [−1, 1] → float32 [n, L, D] on the CPU: the network's guess, not refined.

        Raises `LatentShapeError` for another size.
        """
        check_faces(images, SIDE)
        codes = self.networks.network(images.to(self.networks.network.conv1.weight))
        result: Tensor = codes.float().cpu() + self.average
        return result

    def encode_faces(self, faces: Sequence[AlignedFace]) -> list[Latent]:
        """Latents of aligned faces, refined by as many steps as the options say."""
        images = to_batch([face.image for face in faces], SIDE)
        codes = [self.encode(image[None])[0] for image in images]  # one by one: none depends on its neighbours
        if self.search is None or self.networks.identity is None:
            latents = [Latent(code, self.space) for code in codes]
        else:
            latents = self.search.find(
                images, codes, self.options.refine, self.options.weights(), self.networks.identity
            )
        return tune_faces(self.context, faces, latents, self.options.tune)
