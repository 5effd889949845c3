"""Small faces enlarged, by the upscaler in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinblend.plugins import load_component

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.face_interfaces import Upscaler

OFF = "off"  # in the place of an upscaler's name: pictures stay as they are


def load_upscaler(name: str | None = None) -> Upscaler:
    """An upscaler, made once; None: the one of the settings, else the one that plugins prefer.

    Raises `UsageError` for an unknown name or one that isn't installed, `ModelError` without weights.
    """
    found: Upscaler = load_component("upscaler", name)
    return found


def enlarge(images: Sequence[Image], upscaler: str | None = None) -> list[Image]:
    """RGB pictures of one size → the same ones, larger by the upscaler's factor ("off": as they are)."""
    if upscaler == OFF or not images:
        return list(images)
    return load_upscaler(upscaler).upscale(images)
