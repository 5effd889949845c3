"""Importers: published StyleGAN2 checkpoints → model packs."""

from __future__ import annotations

from collections.abc import Callable

import kinblend
import kinblend.packs

_MODULE = "kinblend_plugins.importers.stylegan2"


@kinblend.hookimpl
def kinblend_register_importers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "e4e", "encoder4editing's and pSp's checkpoints: encoder, generator, average", f"{_MODULE}:import_e4e"
        )
    )
    register(
        kinblend.PluginSpec(
            "hyperstyle",
            "HyperStyle's checkpoints, with their W encoder beside them",
            "kinblend_plugins.importers.hyperstyle:import_hyperstyle",
        )
    )
    register(
        kinblend.PluginSpec(
            "resnet",
            "a ResNet-50 that gives codes, with its generator",
            "kinblend_plugins.importers.resnet:import_resnet",
        )
    )
    register(
        kinblend.PluginSpec(
            "rosinality", "StyleGAN2 generators of rosinality and BasicSR", f"{_MODULE}:import_rosinality"
        )
    )
    register(
        kinblend.PluginSpec("nvidia", "NVIDIA's StyleGAN2 generators, .pkl or state dict", f"{_MODULE}:import_nvidia")
    )


@kinblend.hookimpl
def kinblend_register_packs(register: Callable[[kinblend.packs.PackSource], None]) -> None:
    # The publishers give no SHA-256; the pack's own records what was imported.
    register(
        kinblend.packs.PackSource(
            "ffhq-1024",
            "e4e encoder and StyleGAN2 generator for faces, 1024 px, 1.2 GB (omertov/encoder4editing)",
            downloads=(
                kinblend.packs.Download(
                    "https://drive.usercontent.google.com/download"
                    "?id=1cUv_reLE6k3604or78EranS7XzuVMWeO&export=download&confirm=t",
                    "e4e_ffhq_encode.pt",
                ),
            ),
            importer="e4e",
            licence="MIT; generator: Nvidia Source Code License, non-commercial; trained on FFHQ (CC BY-NC-SA 4.0)",
        )
    )
    register(
        kinblend.packs.PackSource(
            "ffhq-1024-generator",
            "StyleGAN2-ADA generator for faces, 1024 px, 0.4 GB; no encoder (NVlabs/stylegan2-ada-pytorch)",
            downloads=(
                kinblend.packs.Download(
                    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/ffhq.pkl", "ffhq.pkl"
                ),
            ),
            importer="nvidia",
            licence="Nvidia Source Code License, non-commercial; trained on FFHQ (CC BY-NC-SA 4.0)",
        )
    )
