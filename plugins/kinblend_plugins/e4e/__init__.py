"""encoder4editing, pSp, ReStyle and HyperStyle: aligned faces → codes of a StyleGAN2.

Tov et al. 2021, Richardson et al. 2021, Alaluf et al. 2021 and 2022.
"""

from __future__ import annotations

from collections.abc import Callable

import kinblend


@kinblend.hookimpl
def kinblend_register_encoders(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "e4e",
            "encoder4editing: one pass of a network, codes that edit well",
            f"{__name__}.encoder:E4eEncoder",
            "kinblend.inversion_options:TuningOptions",
        )
    )
    register(
        kinblend.PluginSpec(
            "psp",
            "pixel2style2pixel: one pass of a network, codes near to the photograph",
            f"{__name__}.encoder:PspEncoder",
            "kinblend.inversion_options:TuningOptions",
        )
    )
    register(
        kinblend.PluginSpec(
            "restyle",
            "ReStyle: several passes of a network that looks at its own reconstruction",
            f"{__name__}.encoder:RestyleEncoder",
            f"{__name__}.options:RestyleOptions",
        )
    )
    register(
        kinblend.PluginSpec(
            "hyperstyle",
            "HyperStyle: one w, and a network that changes the generator's weights for each face",
            f"{__name__}.hyperstyle:HyperStyleEncoder",
            f"{__name__}.options:HyperStyleOptions",
        )
    )
