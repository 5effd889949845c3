"""Words for people: what the ends of an attribute's slider mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENDS = {
    "age": ("younger", "older"),
    "beard": ("less beard", "more beard"),
    "gender": ("female", "male"),
    "hair": ("lighter", "darker"),
    "skin": ("lighter", "darker"),
    "smile": ("earnest", "smiling"),
    "weight": ("leaner", "fuller"),
    "width": ("narrow", "wide"),
}
LABELS = {"hair": "Hair and brows", "skin": "Complexion", "width": "Width of the face", "weight": "Fullness"}


@dataclass(frozen=True)
class Slider:
    """An attribute's slider. name: the attribute. low, high: what the ends mean. years: whether it can aim."""

    name: str
    label: str
    low: str
    high: str
    years: bool


def slider(name: str, note: str, units: list[str]) -> Slider:
    """An attribute's slider: in our own words where we have some, else in those of the editor's note ("+ is …")."""
    found = re.match(r"\+ is ([^,;]+)", note)
    low, high = ENDS.get(name, ("less", found.group(1) if found else "more"))
    return Slider(name, LABELS.get(name, name.capitalize()), low, high, "years" in units)
