"""An encoder for any StyleGAN-like generator, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable

import kinblend


@kinblend.hookimpl
def kinblend_register_encoders(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "wplus",
            "photograph → W+, near W; refined by optimisation where wanted",
            f"{__name__}.encoder:WPlusEncoder",
            f"{__name__}.options:EncoderOptions",
            variants={"wplus, not refined": {"refine": 0}},
        )
    )


@kinblend.hookimpl
def kinblend_register_trainers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "wplus",
            "an encoder for the generator of any pack, from its own pictures",
            f"{__name__}.training.trainer:train",
            f"{__name__}.training.options:TrainOptions",
            trains="encoder",
            preferred=1,
        )
    )
