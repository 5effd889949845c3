"""MobileStyleGAN: a small generator in the latent space of StyleGAN2-FFHQ."""

from __future__ import annotations

from collections.abc import Callable

import kinblend
import kinblend.packs

LICENCE = (
    "weights: treat as NVIDIA Source Code License (research and evaluation, non-commercial); distilled from "
    "StyleGAN2-FFHQ, FFHQ is CC BY-NC-SA 4.0; wheel: Apache-2.0"
)


@kinblend.hookimpl
def kinblend_register_projectors(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "mobilestylegan",
            "MobileStyleGAN, 1024 px: StyleGAN2 distilled to separable convolutions and wavelets",
            f"{__name__}.projector:MobileStyleGANProjector",
        )
    )


@kinblend.hookimpl
def kinblend_register_commands(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "fit-heads",
            "Heads for smaller pictures of a MobileStyleGAN, fitted to its own pictures",
            f"{__name__}.fit:fit_heads",
        )
    )


@kinblend.hookimpl
def kinblend_register_importers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "random-face",
            "MobileStyleGAN's generator, in the wheel of the package random-face",
            f"{__name__}.importer:import_random_face",
        )
    )


@kinblend.hookimpl
def kinblend_register_packs(register: Callable[[kinblend.packs.PackSource], None]) -> None:
    register(
        kinblend.packs.PackSource(
            "ffhq-mobile",
            "MobileStyleGAN generator for faces, 1024 px, 38 MB (package random-face)",
            downloads=(
                kinblend.packs.PackageDownload(
                    "random-face==2021.7.21.1",
                    "random_face-2021.7.21.1-py3-none-any.whl",
                    sha256="e5d10e2be7df63f06123855ec591ca35dcb1d059eba47ddcb175d7d26b4019b5",
                    size=37_588_926,
                ),
            ),
            importer="random-face",
            licence=LICENCE,
            preferred=10,
        )
    )
