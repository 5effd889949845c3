"""A second judge of age and sex: the network of face-api (`@vladmandic/face-api`), read into PyTorch.

The weights are the user's own download: the archive of the npm package, MIT. Kinblend fits nothing by it.
Source of the architecture: Chollet, "Xception", 2017, made small; the sizes come from the archive's manifest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from kinblend.errors import InputError
from kinblend.faces.landmarks import predict_in_crop

MODEL = "model/age_gender_model"
SIDE = 112  # pixels of what the network sees
MARGIN = 0.2  # of the landmarks' box, added on each side
MEAN = (122.782, 117.001, 104.298)  # of red, green and blue, taken away before the division by 255


class FaceApi:
    """Age and sex of faces in crops in FFHQ geometry.

    folder: of the unpacked package. Raises `InputError` where it is missing or holds no such network.
    """

    def __init__(self, folder: Path) -> None:
        self.weights = _read(folder)

    @torch.inference_mode()
    def __call__(self, crop: Image.Image) -> tuple[float, float]:
        """Years, and how likely the face is male, 0 to 1."""
        features = self._features(_face(crop))
        age = features @ self.weights["fc/age/weights"] + self.weights["fc/age/bias"]
        sexes = (features @ self.weights["fc/gender/weights"] + self.weights["fc/gender/bias"]).softmax(1)
        return float(age), float(sexes[0, 0])

    def _features(self, x: Tensor) -> Tensor:
        """[1, 3, 112, 112] in [0, 255] → [1, 512]."""
        x = (x - torch.tensor(MEAN)[:, None, None]) / 255
        x = F.relu(self._convolve(x, "entry_flow/conv_in"))
        x = self._reduce(x, "entry_flow/reduction_block_0", activate=False)
        x = self._reduce(x, "entry_flow/reduction_block_1")
        for block in ("middle_flow/main_block_0", "middle_flow/main_block_1"):
            y = x
            for step in range(3):
                y = self._separable(F.relu(y), f"{block}/separable_conv{step}")
            x = x + y
        x = self._reduce(x, "exit_flow/reduction_block")
        return F.relu(self._separable(x, "exit_flow/separable_conv")).mean((2, 3))

    def _reduce(self, x: Tensor, name: str, activate: bool = True) -> Tensor:
        y = self._separable(F.relu(x) if activate else x, f"{name}/separable_conv0")
        y = self._separable(F.relu(y), f"{name}/separable_conv1")
        y = F.max_pool2d(_padded(y, 3, 2, -torch.inf), 3, 2)
        return y + self._convolve(x, f"{name}/expansion_conv")

    def _convolve(self, x: Tensor, name: str) -> Tensor:
        kernel = self.weights[f"{name}/filters"]
        return F.conv2d(_padded(x, kernel.shape[2], 2), kernel, self.weights[f"{name}/bias"], stride=2)

    def _separable(self, x: Tensor, name: str) -> Tensor:
        depthwise = self.weights[f"{name}/depthwise_filter"]
        x = F.conv2d(_padded(x, 3, 1), depthwise, groups=len(depthwise))
        return F.conv2d(x, self.weights[f"{name}/pointwise_filter"], self.weights[f"{name}/bias"])


def _padded(x: Tensor, kernel: int, stride: int, value: float = 0.0) -> Tensor:
    """Padding as TensorFlow's "same": what is odd goes to the right and below."""
    sides: list[int] = []
    for size in (x.shape[3], x.shape[2]):
        missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides, value=value)


def _face(crop: Image.Image) -> Tensor:
    """The box of the 68 landmarks and a margin, on a black square: [1, 3, 112, 112] in [0, 255]."""
    landmarks = np.asarray(predict_in_crop(crop))
    low, high = landmarks.min(0), landmarks.max(0)
    away = MARGIN * (high - low)
    box = crop.convert("RGB").crop(tuple(round(float(v)) for v in (*(low - away), *(high + away))))
    square = Image.new("RGB", (max(box.size),) * 2)
    square.paste(box, ((square.width - box.width) // 2, (square.height - box.height) // 2))
    pixels = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()


def _read(folder: Path) -> dict[str, Tensor]:
    """The tensors of the age and gender network, convolutions as PyTorch has them."""
    try:
        manifest = json.loads((folder / f"{MODEL}-weights_manifest.json").read_text("utf-8"))
        data = (folder / f"{MODEL}.bin").read_bytes()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} holds no network of face-api ({error}); run `npm pack @vladmandic/face-api`, unpack what it "
            "fetches, and name the folder `package`"
        ) from error
    tensors, start = {}, 0
    for entry in (entry for group in manifest for entry in group["weights"]):
        tensors[entry["name"]], start = _tensor(entry, data, start)
    return tensors


def _tensor(entry: dict[str, Any], data: bytes, start: int) -> tuple[Tensor, int]:
    """One tensor, and where the next one starts. 8-bit values have a scale and a smallest value."""
    quantised = entry.get("quantization")
    kind = np.dtype(quantised["dtype"] if quantised else entry["dtype"])
    count = int(np.prod(entry["shape"]))
    values = np.frombuffer(data, kind, count, start).astype(np.float32).reshape(entry["shape"])
    if quantised:
        values = values * np.float32(quantised["scale"]) + np.float32(quantised["min"])
    tensor = torch.from_numpy(values.copy())
    if tensor.ndim == 4:  # [height, width, inputs, outputs], or with depthwise filters [height, width, channels, 1]
        tensor = tensor.permute(2, 3, 0, 1) if "depthwise" in entry["name"] else tensor.permute(3, 2, 0, 1)
    return tensor.contiguous(), start + count * kind.itemsize
