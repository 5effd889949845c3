"""Landmarkers: a face's box → its 68 points."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

Register = Callable[[kinblend.PluginSpec], None]


@kinblend.hookimpl
def kinblend_register_landmarkers(register: Register) -> None:
    register(
        kinblend.PluginSpec(
            "dlib", "dlib's regression trees, 68 points", f"{__name__}.dlib_landmarks:DlibLandmarker", preferred=1
        )
    )
