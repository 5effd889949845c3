"""Encoders by optimisation, for any generator: from the latent average, or from the guess of a ResNet-50."""

from __future__ import annotations

from collections.abc import Callable

import kinblend


@kinblend.hookimpl
def kinblend_register_encoders(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "optimize",
            "optimisation alone, from the latent average: no weights, any StyleGAN, slow",
            f"{__name__}.optimize:OptimizeEncoder",
            f"{__name__}.options:OptimizeOptions",
        )
    )
    register(
        kinblend.PluginSpec(
            "resnet",
            "a ResNet-50's guess, then optimisation, as in the stylegan-encoder lineage",
            f"{__name__}.resnet:ResNetEncoder",
            f"{__name__}.options:ResNetOptions",
            weights="resnet.safetensors",
        )
    )
