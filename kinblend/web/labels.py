"""Sliders for an editor's attributes, in words for people."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kinblend.interfaces import AttributeLabel


@dataclass(frozen=True)
class Slider:
    """An attribute's slider. name: the attribute. low, high: what the ends mean. years: whether it has targets in
    years."""

    name: str
    label: str
    low: str
    high: str
    years: bool


def slider(name: str, note: str, units: list[str], label: AttributeLabel | None) -> Slider:
    """An attribute's slider: in the editor's own words, else in those of its note ("+ is …")."""
    if label is None:
        found = re.match(r"\+ is ([^,;]+)", note)
        label = AttributeLabel(
            name.replace("_", " ").replace("-", " ").capitalize(), high=found.group(1) if found else "more"
        )
    return Slider(name, label.name, label.low, label.high, "years" in units)
