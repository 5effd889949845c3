"""ESRGAN (Wang, Yu, Wu, Gu, Liu, Dong, Qiao & Loy 2018), which Real-ESRGAN came from, by spandrel.

Its weights, RRDB_ESRGAN_x4.pth, are looked for in KINBLEND_HOME/upscalers and never fetched here. Trained on sharp
pictures made small, it brings out the noise and the blocks of a JPEG, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from kinblend.checkpoints import home_folder, read_torch
from kinblend.errors import ModelError, UsageError
from kinblend.face_interfaces import Upscaler
from kinblend.imaging import to_batch, to_pictures
from kinblend_plugins.package_shims import import_torchvision

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "RRDB_ESRGAN_x4.pth"


class Esrgan(Upscaler):
    """The authors' network, or another of its architecture in the same place: under the names of its layers of 2018,
    of 2019 or of basicsr.

    Raises `UsageError` where spandrel isn't installed, `ModelError` where the weights are missing or of another kind.
    """

    def __init__(self) -> None:
        self.network = read_network()

    def upscale(self, images: Sequence[Image]) -> list[Image]:
        if not images:
            return []
        with torch.inference_mode():
            return to_pictures(self.network((to_batch(images) + 1) / 2) * 2 - 1)


def read_network() -> Any:
    """RRDBNet ×4: float32 [n, 3, H, W] in [0, 1] → [n, 3, 4H, 4W]."""
    if find_spec("spandrel") is None:
        raise UsageError("ESRGAN needs spandrel: pip install 'kinblend[upscale]', or use the upscaler bicubic")
    path = home_folder() / "upscalers" / FILE
    if not path.is_file():
        raise ModelError(
            f"the upscaler esrgan needs {FILE} at {path}; put it there, or use realesrgan, which brings its weights"
        )
    import_torchvision()
    from spandrel import ModelLoader
    from spandrel.architectures.ESRGAN import ESRGANArch

    state = read_torch(path)
    try:
        described: Any = ModelLoader(device="cpu").load_from_state_dict(state)
    except Exception as error:  # spandrel has no one error for what it can't read
        raise ModelError(
            f"{path} is no network that spandrel knows: {type(error).__name__}; get {FILE} anew"
        ) from error
    if not isinstance(described.architecture, ESRGANArch) or described.scale != Upscaler.factor:
        raise ModelError(
            f"{path} is a {described.architecture.name} that enlarges {described.scale} times, "
            f"no ESRGAN of {Upscaler.factor}; get {FILE} anew"
        )
    return described.model.eval()
