"""Face detectors: photographs → the faces in them."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

Register = Callable[[kinblend.PluginSpec], None]


@kinblend.hookimpl
def kinblend_register_detectors(register: Register) -> None:
    register(
        kinblend.PluginSpec("mtcnn", "MTCNN, by facenet-pytorch", f"{__name__}.mtcnn:MtcnnDetector", preferred=1)
    )
