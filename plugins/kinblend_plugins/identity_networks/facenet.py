"""FaceNet: Inception-ResNet-v1 (Szegedy et al. 2016) trained on VGGFace2, through facenet-pytorch.

Its weights are not in the wheel. They are looked for where facenet-pytorch keeps them, and never fetched here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kinblend import IdentityNetwork
from kinblend.checkpoints import build_network, read_torch
from kinblend.errors import ModelError
from kinblend.identity import cut
from kinblend_plugins.package_shims import import_inception

FILE = "20180402-114759-vggface2.pt"
CHIP = 160  # px
# Where MTCNN's box lies in an FFHQ crop, in units of its side: left, top, right, bottom. Medians over 60 faces; their
# standard deviations are 0.010 to 0.019. facenet-pytorch stretches the box to a square.
BOX = (0.229, 0.186, 0.769, 0.906)


def weights_file() -> Path:
    """Where facenet-pytorch has its weights. Raises `ModelError`."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    beside = path.parents[2] / "checkpoints" / FILE  # facenet-pytorch leaves out the folder `hub`
    for place in (beside, path):
        if place.is_file():
            return place
    raise ModelError(f"the identity network facenet needs {FILE} at {beside}; put it there, or use dlib")


class FaceNet(IdentityNetwork):
    """Embeddings of 512 dimensions. Raises `ModelError` where its weights are missing."""

    embedding_size = 512
    input_side = round(CHIP / (BOX[2] - BOX[0]))

    def __init__(self) -> None:
        self.network = read_network()

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        embeddings: Tensor = self.network(chips(pictures) * (127.5 / 128))
        return embeddings


def read_network() -> nn.Module:
    """The network with its weights, itself not trained. Raises `ModelError`."""
    tensors = read_torch(weights_file())
    needed = {name: tensor for name, tensor in tensors.items() if not name.startswith("logits.")}
    found: nn.Module = build_network(_empty, needed, "facenet", "fetch the file again")
    return found


def chips(pictures: Tensor) -> Tensor:
    """Faces cut out of pictures in FFHQ geometry: float32 [n, 3, S, S] in [−1, 1] → [n, 3, 160, 160]."""
    return cut(pictures, BOX, CHIP, CHIP)


def _empty() -> Any:
    return import_inception()(pretrained=None)
