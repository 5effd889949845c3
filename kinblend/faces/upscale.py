"""Small faces enlarged, by the upscaler in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kinblend.faces.alignment import face_square
from kinblend.plugins import load_component

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from kinblend.face_interfaces import Upscaler

AROUND = 0.4  # of a face's square, on each side, that is enlarged with it
OFF = "off"  # in the place of an upscaler's name: pictures stay as they are


def load_upscaler(name: str | None = None) -> Upscaler:
    """An upscaler, made once; None: the one of the settings, else the one that plugins prefer.

    Raises `UsageError` for an unknown name or one that isn't installed, `ModelError` without weights.
    """
    found: Upscaler = load_component("upscaler", name)
    return found


def check_upscaler(name: str | None) -> None:
    """Raise `UsageError` where there is no upscaler of that name, or what it needs is not installed."""
    if name not in (None, OFF):
        load_upscaler(name)


def enlarge(images: Sequence[Image], upscaler: str | None = None) -> list[Image]:
    """RGB pictures of one size → the same ones, larger by the upscaler's factor ("off": as they are)."""
    if upscaler == OFF or not images:
        return list(images)
    return load_upscaler(upscaler).upscale(images)


def enlarge_face(
    image: Image, landmarks: NDArray[Any], upscaler: str | None, under: float
) -> tuple[Image, NDArray[Any], float]:
    """A small face with its surroundings, enlarged; its landmarks in pixels of that, float64 [68, 2]; how many times.

    upscaler: a name, None for the preferred one, "off". under: pixels of the face's square from which a picture is
    large enough and stays as it is.
    """
    import numpy as np

    square = face_square(landmarks)
    if upscaler == OFF or square.side >= under:
        return image, landmarks, 1.0
    corners, reach = square.corners(), AROUND * square.side
    low = np.maximum(np.floor(corners.min(axis=0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=0) + reach), image.size).astype(int)
    [large] = enlarge([image.crop((*low.tolist(), *high.tolist()))], upscaler)
    factor = large.width / (high[0] - low[0])
    return large, (landmarks - low + 0.5) * factor - 0.5, float(factor)
