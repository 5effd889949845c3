"""Between PIL pictures and batches of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


def to_batch(images: Sequence[Image], size: int | None = None) -> Tensor:
    """RGB pictures → float32 [n, 3, S, S] in [−1, 1].

    size: side in pixels they are resized to (antialiased bilinear, as torchvision's Resize); None keeps theirs.
    """
    import numpy as np
    import torch
    from PIL import Image as pil

    arrays = []
    for image in images:
        picture = image.convert("RGB")
        if size is not None and picture.size != (size, size):
            picture = picture.resize((size, size), pil.Resampling.BILINEAR)
        arrays.append(np.asarray(picture))
    batch = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float()
    return batch.div_(127.5).sub_(1)


def to_pictures(images: Tensor) -> list[Image]:
    """Float [n, 3, H, W], RGB about [−1, 1] → RGB pictures, rounded to uint8: clamp(x·127.5 + 128), as NVIDIA's."""
    from PIL import Image as pil

    return [pil.fromarray(_pixels(image).numpy()) for image in images.detach()]


def _pixels(image: Tensor) -> Tensor:
    """[3, H, W] → uint8 [H, W, 3] on the CPU. One at a time: its copies stay in the cache."""
    import torch

    values = (image.float().cpu() * 127.5).add_(128).clamp_(0, 255)
    return values.to(torch.uint8).permute(1, 2, 0).contiguous()
