"""What the plugin registers. It stands apart from the package, whose training must start where only torch is."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

_PACKAGE = __name__.rpartition(".")[0]


@kinblend.hookimpl
def kinblend_register_projectors(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "stylegan2",
            "A StyleGAN2 generator, 64 to 1024 px, without compiled extensions",
            f"{_PACKAGE}.projector:StyleGAN2Projector",
            f"{_PACKAGE}.options:ProjectorOptions",
        )
    )


@kinblend.hookimpl
def kinblend_register_encoders(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "compact",
            "A small e4e-style encoder, trained together with its StyleGAN2",
            f"{_PACKAGE}.encoder:CompactEncoder",
            "kinblend.inversion_options:TuningOptions",
        )
    )


@kinblend.hookimpl
def kinblend_register_trainers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "stylegan2",
            "A small StyleGAN2 and its encoder, from scratch, on aligned faces",
            f"{_PACKAGE}.training.run:train",
            f"{_PACKAGE}.training.options:TrainOptions",
        )
    )


@kinblend.hookimpl
def kinblend_register_commands(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "pack-faces",
            "Aligned faces, made small, as one archive to train on",
            f"{_PACKAGE}.training.faces:pack",
        )
    )
