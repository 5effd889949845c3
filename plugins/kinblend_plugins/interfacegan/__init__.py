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


@kinblend.hookimpl
def kinblend_register_trainers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    for name, summary, function, options, preferred in (
        ("rated", "directions on faces that people have rated", "train_rated", "RatedOptions", 1),
        (
            "generated",
            "directions on pictures that the generator draws",
            "train_generated_directions",
            "GeneratedOptions",
            0,
        ),
        ("ganspace", "principal components of the generator's codes", "train_ganspace", "GanspaceOptions", 0),
        ("sefa", "directions that change the generator's styles most", "train_sefa", "SefaOptions", 0),
    ):
        register(
            kinblend.PluginSpec(
                name,
                summary,
                f"{__name__}.training.trainer:{function}",
                f"{__name__}.training.options:{options}",
                trains="directions",
                preferred=preferred,
            )
        )
