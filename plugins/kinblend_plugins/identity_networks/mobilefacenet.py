"""MobileFaceNet (Chen et al. 2018, "MobileFaceNets", table 1), a small network that is no relative of dlib's.

Two trainings of it can be read: two more opinions on who is like whom. Neither file is ever fetched here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from kinblend import IdentityNetwork
from kinblend.checkpoints import build_network, home_folder, read_torch
from kinblend.errors import CheckpointError, ModelError, UsageError
from kinblend.face_interfaces import SimilarityScale
from kinblend.identity import cut

# What of an FFHQ crop the 112 × 96 px show that SphereFace (Liu et al. 2017) aligns by five points: left, top, right,
# bottom, in units of its side. Medians over 102 faces; the points are at most two pixels off. ArcFace (Deng et al.
# 2019) aligns 112 × 112 px by the same points, eight pixels wider on each side.
NARROW = (0.176, 0.118, 0.824, 0.874)
SQUARE = (0.122, 0.118, 0.878, 0.874)
# expansion, channels, how many, stride of the first: the bottlenecks between the first and the last convolutions
BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


class Network(nn.Module):
    """Pictures float32 [n, 3, 112, W], RGB in about [−1, 1] → float32 [n, E].

    width: W, 96 or 112. size: E. folded: the layers have biases instead of batch normalisation, as in files for
        inference.
    """

    def __init__(self, width: int = 96, size: int = 128, folded: bool = False) -> None:
        super().__init__()
        self.conv1 = _layer(3, 64, 3, stride=2, padding=1, folded=folded)
        self.dw_conv1 = _layer(64, 64, 3, padding=1, groups=64, folded=folded)
        blocks: list[nn.Module] = []
        inputs = 64
        for expansion, outputs, count, stride in BOTTLENECKS:
            for number in range(count):
                blocks.append(_Bottleneck(inputs, outputs, expansion, stride if number == 0 else 1, folded))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = _layer(128, 512, 1, folded=folded)
        self.linear7 = _layer(512, 512, (7, width // 16), groups=512, linear=True, folded=folded)
        self.linear1 = _layer(512, size, 1, linear=True, folded=folded)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.conv2(self.blocks(self.dw_conv1(self.conv1(pictures))))
        found: Tensor = self.linear1(self.linear7(features)).flatten(1)
        return found


class _Bottleneck(nn.Module):
    """Wider, filtered channel by channel, narrow again; added to what came in where that has its shape."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int, folded: bool) -> None:
        super().__init__()
        wide = inputs * expansion
        self.added = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            *_layer(inputs, wide, 1, folded=folded),
            *_layer(wide, wide, 3, stride=stride, padding=1, groups=wide, folded=folded),
            *_layer(wide, outputs, 1, linear=True, folded=folded),
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
    folded: bool = False,
) -> nn.Sequential:
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=folded)
    )
    if not folded:
        parts["bn"] = nn.BatchNorm2d(outputs)
    if not linear:
        parts["prelu"] = nn.PReLU(outputs)
    return nn.Sequential(parts)


class MobileFaceNet(IdentityNetwork):
    """Embeddings of 256 dimensions: the face's, and its mirror image's, as the checkpoint's authors compare faces.

    Its file is 068.ckpt of the repository Xiaoccer/MobileFaceNet_Pytorch, trained with ArcFace's loss on
    CASIA-WebFace. Raises `ModelError` where it is missing.
    """

    embedding_size = 256
    # On photographs of Families in the Wild (docs/learned-blender.md).
    scale = SimilarityScale(strangers=0.05, siblings=0.20)
    input_side = round(96 / (NARROW[2] - NARROW[0]))

    FILE, SOURCE = "mobilefacenet.ckpt", "model/best/068.ckpt of the repository Xiaoccer/MobileFaceNet_Pytorch"

    def __init__(self) -> None:
        path = weights_file("mobilefacenet", self.FILE, self.SOURCE)
        content = read_torch(path)
        if not isinstance(content, dict) or not isinstance(content.get("net_state_dict"), dict):
            raise CheckpointError(f"{path} is no checkpoint of MobileFaceNet; use {self.SOURCE}")
        self.network = build_network(Network, content["net_state_dict"], "mobilefacenet", f"use {self.SOURCE}")

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        faces = cut(pictures, NARROW, 112, 96) * (127.5 / 128)
        return torch.cat([self.network(faces), self.network(faces.flip(-1))], dim=1)


class FacePlugin(IdentityNetwork):
    """Embeddings of 512 dimensions, by another training of the same network on people its authors do not name.

    Its file is model/fr_feature.onnx of the npm package faceplugin-face-recognition-js 0.0.1 (MIT by its metadata),
    which needs the package onnx to be read. Raises `ModelError` where it is missing, `UsageError` without onnx.
    """

    embedding_size = 512
    input_side = round(112 / (SQUARE[2] - SQUARE[0]))

    FILE = "fr_feature.onnx"
    SOURCE = "model/fr_feature.onnx of the npm package faceplugin-face-recognition-js 0.0.1"

    def __init__(self) -> None:
        path = weights_file("faceplugin", self.FILE, self.SOURCE)
        hint = f"use {self.SOURCE}"

        def network() -> Network:
            return Network(112, self.embedding_size, folded=True)

        with torch.device("meta"):
            names = list(network().state_dict())
        tensors = _read_onnx(path)
        if len(tensors) != len(names):
            raise CheckpointError(f"{path} has {len(tensors)} tensors where faceplugin has {len(names)}; {hint}")
        self.network = build_network(network, dict(zip(names, tensors, strict=True)), "faceplugin", hint)

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        found: Tensor = self.network(cut(pictures, SQUARE, 112, 112))
        return found


def weights_file(name: str, file: str, source: str) -> Path:
    """Where an identity network's weights are looked for. Raises `ModelError` where they are not."""
    path = home_folder() / "identity" / file
    if not path.is_file():
        raise ModelError(f"the identity network {name} needs the file {source} as {path}; put it there, or use dlib")
    return path


def _read_onnx(path: Path) -> Sequence[Tensor]:
    """The weights of an ONNX file's layers in the order in which they are used. Raises `CheckpointError`."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx import numpy_helper
    except ImportError as error:
        raise UsageError("the identity network faceplugin needs: pip install 'kinblend[onnx]'") from error
    try:
        graph = onnx.load(str(path), load_external_data=False).graph
        known = {one.name: torch.tensor(numpy_helper.to_array(one)) for one in graph.initializer}
    except (OSError, DecodeError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} can't be read as an ONNX file: {error}") from error
    layers = [node for node in graph.node if node.op_type in ("Conv", "PRelu")]
    found = [known[name] for node in layers for name in node.input if name in known]
    # ONNX keeps a slope for each channel as [C, 1, 1], PyTorch as [C].
    return [one.flatten() if one.dim() == 3 else one for one in found]
