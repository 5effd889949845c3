"""Edits along directions of the latent space."""

from __future__ import annotations

from collections.abc import Callable

import kinblend


@kinblend.hookimpl
def kinblend_register_editors(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "interfacegan",
            "moves named attributes along directions",
            f"{__name__}.editor:DirectionEditor",
            f"{__name__}.options:DirectionOptions",
            reads=("directions.safetensors",),
            preferred=1,
        )
    )
