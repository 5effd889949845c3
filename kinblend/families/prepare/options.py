"""What `kinblend prepare` can be told."""

from __future__ import annotations

from dataclasses import dataclass

from kinblend.errors import UsageError
from kinblend.faces.upscale import OFF
from kinblend.plugins import load_plugins

SIZES = (256, 512, 1024)


@dataclass(frozen=True)
class PrepareOptions:
    """What becomes of each picture.

    sizes: sides of the crops, of 256, 512 and 1024.
    upscaler: a registered one, or "off"; for faces under `upscale_under` pixels, by the shorter side of their box.
    min_face_px: the least effective resolution of a face, in pixels.
    max_yaw: degrees to the side.
    backbone: pack to encode with, None for no latents. Raises `UsageError`.
    """

    sizes: tuple[int, ...] = (256,)
    upscaler: str = OFF
    upscale_under: int = 128
    min_face_px: float = 24.0
    max_yaw: float = 40.0
    backbone: str | None = None

    def __post_init__(self) -> None:
        if not self.sizes or set(self.sizes) - set(SIZES):
            raise UsageError(f"size: crops have {', '.join(map(str, SIZES))} pixels, not {self.sizes}")
        if self.upscaler != OFF:
            load_plugins()["upscaler"].get(self.upscaler)

    @property
    def encoded_size(self) -> int:
        """The side of the crops that are encoded."""
        return max(self.sizes)
