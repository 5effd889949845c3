"""Real-ESRGAN (Wang, Xie, Dong & Shan 2021) by its authors' own package, realesrgan.

Its weights, RealESRGAN_x4plus.pth, are looked for in KINBLEND_HOME/upscalers and never fetched here. The default
upscaler, `realesrgan`, needs neither that package, which does not install on new Pythons, nor that file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as pil

from kinblend.checkpoints import home_folder
from kinblend.errors import ModelError, UsageError
from kinblend.face_interfaces import Upscaler
from kinblend_plugins.package_shims import import_torchvision

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "RealESRGAN_x4plus.pth"
BLOCKS, WIDTH, GROWTH = 23, 64, 32  # of RRDBNet


class RealEsrganPackage(Upscaler):
    """`RealESRGANer` around the weights that its authors publish.

    Raises `UsageError` where the package isn't installed, `ModelError` where the weights are missing.
    """

    def __init__(self) -> None:
        path = home_folder() / "upscalers" / FILE
        try:
            import_torchvision()
            from basicsr.archs.rrdbnet_arch import RRDBNet
            from realesrgan import RealESRGANer
        except ImportError as error:
            raise UsageError(
                f"the package realesrgan can't be imported ({error}): pip install 'kinblend[realesrgan]', or use "
                "the upscaler realesrgan, which needs only spandrel"
            ) from error
        if not path.is_file():
            raise ModelError(f"the upscaler realesrgan-package needs {FILE} at {path}; put it there")
        network = RRDBNet(3, 3, num_feat=WIDTH, num_block=BLOCKS, num_grow_ch=GROWTH, scale=self.factor)
        self.engine: Any = RealESRGANer(self.factor, str(path), model=network, device="cpu")

    def upscale(self, images: Sequence[Image]) -> list[Image]:
        found = []
        for image in images:
            blue_first = np.asarray(image.convert("RGB"))[:, :, ::-1]
            larger, _ = self.engine.enhance(blue_first, outscale=self.factor)
            found.append(pil.fromarray(np.ascontiguousarray(larger[:, :, ::-1])))
        return found
