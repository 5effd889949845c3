"""StyleGAN3: the generator without aliasing, whose details move with what they belong to."""

from __future__ import annotations

from collections.abc import Callable

import kinblend


@kinblend.hookimpl
def kinblend_register_projectors(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "stylegan3",
            "A StyleGAN3 generator, configurations T and R, 16 to 1024 px",
            f"{__name__}.projector:StyleGAN3Projector",
        )
    )


@kinblend.hookimpl
def kinblend_register_importers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "stylegan3",
            "NVIDIA's StyleGAN3 generators, .pkl or state dict",
            f"{__name__}.importer:import_stylegan3",
        )
    )
