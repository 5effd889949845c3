"""StyleGAN: the generator of 2019, whose styles scale and shift normalized feature maps."""

from __future__ import annotations

from collections.abc import Callable

import kinblend


@kinblend.hookimpl
def kinblend_register_projectors(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "stylegan1",
            "A StyleGAN generator of 2019, 8 to 1024 px",
            f"{__name__}.projector:StyleGAN1Projector",
        )
    )


@kinblend.hookimpl
def kinblend_register_importers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "stylegan1",
            "StyleGAN generators of 2019 in PyTorch: rosinality, lernapparat, GenForce, InterFaceGAN",
            f"{__name__}.importer:import_stylegan1",
        )
    )
