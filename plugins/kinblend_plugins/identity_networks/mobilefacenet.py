"""MobileFaceNet (Chen et al. 2018, "MobileFaceNets", table 1) in the layout of the checkpoint 068.ckpt that the
repository Xiaoccer/MobileFaceNet_Pytorch publishes: trained with ArcFace's loss on CASIA-WebFace.

Small, and no relative of dlib's network: a second opinion on who is like whom. Its weights are never fetched here.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from kinblend import IdentityNetwork
from kinblend.checkpoints import build_network, home_folder, read_torch
from kinblend.errors import CheckpointError, ModelError
from kinblend.face_interfaces import SimilarityScale
from kinblend.identity import cut

FILE = "mobilefacenet.ckpt"
HEIGHT, WIDTH = 112, 96  # px
# What of an FFHQ crop the 112 × 96 px show that SphereFace (Liu et al. 2017) aligns by five points: left, top, right,
# bottom, in units of its side. Medians over 102 faces; the points are at most two pixels off.
BOX = (0.176, 0.118, 0.824, 0.874)
# expansion, channels, how many, stride of the first: the bottlenecks between the first and the last convolutions
BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class Network(nn.Module):
    """Pictures float32 [n, 3, 112, 96], RGB in about [−1, 1], as `chips` cuts them → float32 [n, 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _layer(3, 64, 3, stride=2, padding=1)
        self.dw_conv1 = _layer(64, 64, 3, padding=1, groups=64)
        blocks: list[nn.Module] = []
        inputs = 64
        for expansion, outputs, count, stride in BOTTLENECKS:
            for number in range(count):
                blocks.append(_Bottleneck(inputs, outputs, expansion, stride if number == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = _layer(128, 512, 1)
        self.linear7 = _layer(512, 512, (7, 6), groups=512, linear=True)
        self.linear1 = _layer(512, 128, 1, linear=True)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.conv2(self.blocks(self.dw_conv1(self.conv1(pictures))))
        found: Tensor = self.linear1(self.linear7(features)).flatten(1)
        return found


class _Bottleneck(nn.Module):
    """Wider, filtered channel by channel, narrow again; added to what came in where that has its shape."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.added = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *_layer(inputs, wide, 1),
            *_layer(wide, wide, 3, stride=stride, padding=1, groups=wide),
            *_layer(wide, outputs, 1, linear=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.conv(features)
        return features + found if self.added else found


def _layer(
    inputs: int,
    outputs: int,
    size: int | tuple[int, int],
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    linear: bool = False,
) -> nn.Sequential:
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=False),
        bn=nn.BatchNorm2d(outputs),
    )
    if not linear:
        parts["prelu"] = nn.PReLU(outputs)
    return nn.Sequential(parts)


def weights_file() -> Path:
    """Where its weights are looked for. Raises `ModelError` where they are not."""
    path = home_folder() / "identity" / FILE
    if not path.is_file():
        raise ModelError(
            f"the identity network mobilefacenet needs the file model/best/068.ckpt of the repository "
            f"Xiaoccer/MobileFaceNet_Pytorch as {path}; put it there, or use dlib"
        )
    return path


class MobileFaceNet(IdentityNetwork):
    """Embeddings of 256 dimensions: the face's, and its mirror image's, as the checkpoint's authors compare faces.

    Raises `ModelError` where its weights are missing.
    """

    embedding_size = 256
    # On photographs of Families in the Wild (docs/learned-blender.md).
    scale = SimilarityScale(strangers=0.05, siblings=0.20)
    input_side = round(WIDTH / (BOX[2] - BOX[0]))

    def __init__(self) -> None:
        self.network = read_network()

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        faces = chips(pictures) * (127.5 / 128)
        return torch.cat([self.network(faces), self.network(faces.flip(-1))], dim=1)


def read_network() -> Network:
    """The network with its weights, itself not trained. Raises `ModelError`."""
    path = weights_file()
    content = read_torch(path)
    if not isinstance(content, dict) or not isinstance(content.get("net_state_dict"), dict):
        raise CheckpointError(f"{path} is no checkpoint of MobileFaceNet; use model/best/068.ckpt")
    return build_network(Network, content["net_state_dict"], "mobilefacenet", "use model/best/068.ckpt")


def chips(pictures: Tensor) -> Tensor:
    """Faces cut out of pictures in FFHQ geometry: float32 [n, 3, S, S] in [−1, 1] → [n, 3, 112, 96]."""
    return cut(pictures, BOX, HEIGHT, WIDTH)
