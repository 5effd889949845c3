"""The embedded backbone: principal components of shape and texture, with the parents' own detail.

After Cootes, Edwards and Taylor (Active Appearance Models, 1998) and Blanz and Vetter (1999).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import kinblend
import kinblend.packs

_HERE = __name__


@kinblend.hookimpl
def kinblend_register_encoders(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "morphable",
            "68 landmarks, then shape and texture components",
            f"{_HERE}.encoder:MorphableEncoder",
            f"{_HERE}.options:EncoderOptions",
        )
    )


@kinblend.hookimpl
def kinblend_register_projectors(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "morphable",
            "Texture plus detail, warped into the face's own shape",
            f"{_HERE}.projector:MorphableProjector",
            f"{_HERE}.options:ProjectorOptions",
        )
    )


@kinblend.hookimpl
def kinblend_register_trainers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "morphable",
            "Shape and texture components from aligned faces, in minutes on a CPU",
            f"{_HERE}.train:train",
            f"{_HERE}.train:TrainOptions",
        )
    )


@kinblend.hookimpl
def kinblend_register_packs(register: Callable[[kinblend.packs.PackSource], None]) -> None:
    register(
        kinblend.packs.PackSource(
            "morphable",
            "Embedded, used where nothing better was pulled: trained on 3,018 synthetic faces, 512 px",
            folder=Path(__file__).parent / "pack",
            licence="non-commercial research",
            preferred=1,
        )
    )
