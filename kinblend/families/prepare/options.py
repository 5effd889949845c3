"""What `kinblend prepare` can be told."""

from __future__ import annotations

from dataclasses import dataclass

from kinblend.errors import UsageError
from kinblend.faces.upscale import Upscaler

SIZES = (256, 512, 1024)


@dataclass(frozen=True)
class PrepareOptions:
    """What becomes of each picture.

    sizes: sides of the crops, of 256, 512 and 1024. upscaler: for faces under `upscale_under` pixels, by the shorter
        side of their box. min_face_px: true pixels of a face; fewer are too pixelated.
    max_yaw: degrees to the side.
    backbone: pack to encode with, None for no latents. Raises `UsageError`.
    """

    sizes: tuple[int, ...] = (256,)
    upscaler: Upscaler = "realesrgan"
    upscale_under: int = 128
    min_face_px: float = 24.0
    max_yaw: float = 40.0
    backbone: str | None = None

    def __post_init__(self) -> None:
        if not self.sizes or set(self.sizes) - set(SIZES):
            raise UsageError(f"--size: crops have {', '.join(map(str, SIZES))} pixels, not {self.sizes}")
        if self.upscaler not in ("realesrgan", "bicubic", "off"):
            raise UsageError(f"--upscale {self.upscaler!r}: use realesrgan, bicubic or off")

    @property
    def encoded_size(self) -> int:
        """The side of the crops that are encoded."""
        return max(self.sizes)
