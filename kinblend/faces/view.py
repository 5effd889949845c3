"""A part of a picture, made smaller and turned, and the way between its pixels and the picture's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels


@dataclass(frozen=True)
class View:
    """image: RGB. turn: degrees counter-clockwise it was turned by. scale: of its pixels to the picture's.
    centre, middle: the same point in the picture and in `image`, float64 [2]."""

    image: Image
    turn: float
    scale: float
    centre: NDArray[Any]
    middle: NDArray[Any]

    def into(self, points: NDArray[Any]) -> NDArray[Any]:
        """Points of the picture, float [n, 2] → pixels of the view."""
        inside: NDArray[Any] = (points - self.centre) * self.scale @ _rotation(self.turn) + self.middle
        return inside

    def back(self, points: NDArray[Any]) -> NDArray[Any]:
        """Pixels of the view, float [n, 2] → points of the picture."""
        outside: NDArray[Any] = (points - self.middle) @ _rotation(self.turn).T / self.scale + self.centre
        return outside


def view(image: Image, turn: float, box: Sequence[float] | None = None, side: float | None = None) -> View:
    """Look at a box of an RGB picture, turned counter-clockwise by so many degrees.

    box: left, top, right, bottom in pixels, cut at the picture's edge; None: all of it. side: the longest that the
    part has before it is turned, in pixels; larger ones are made smaller.
    """
    import numpy as np
    from PIL import Image as pil

    left, top, right, bottom = box or (0, 0, *image.size)
    x, y = min(max(0, int(left)), image.width - 1), min(max(0, int(top)), image.height - 1)
    region = x, y, max(x + 1, min(image.width, int(right) + 1)), max(y + 1, min(image.height, int(bottom) + 1))
    width, height = region[2] - x, region[3] - y
    scale = min(1.0, (side or max(width, height)) / max(width, height))
    small = max(1, round(width * scale)), max(1, round(height * scale))
    part = (
        image
        if region == (0, 0, *image.size)
        else image.crop((region[0], region[1], region[0] + width, region[1] + height))
    )
    if small != part.size:
        part = part.resize(small, pil.Resampling.BILINEAR, reducing_gap=2.0)
    turned = part.rotate(turn, pil.Resampling.BICUBIC, expand=True, fillcolor=(128, 128, 128)) if turn % 360 else part
    centre = np.array([x + width / 2, y + height / 2]) - 0.5
    return View(turned, turn, small[0] / width, centre, np.array(turned.size) / 2 - 0.5)


def _rotation(degrees: float) -> NDArray[Any]:
    """Takes row vectors of a picture to those of the picture turned counter-clockwise (y down)."""
    import numpy as np

    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def roll_of(points: NDArray[Any]) -> float:
    """Degrees a face is turned clockwise in the picture, in (−180, 180].

    points: float [5, 2], both eyes, the nose tip and the mouth's corners; or [68, 2].
    """
    import numpy as np

    if len(points) == 5:
        left, right, mouth = points[0], points[1], points[3:5].mean(0)
    else:
        left, right, mouth = points[36:42].mean(0), points[42:48].mean(0), (points[48] + points[54]) / 2
    across, fall = right - left, mouth - (left + right) / 2
    along = across + np.array([fall[1], -fall[0]])  # the eyes' line, steadied by the fall to the mouth
    return float(np.degrees(np.arctan2(along[1], along[0])))


def upright_box(box: Sequence[float], roll: float) -> Box:
    """The box of a face around the same centre once the face is upright, and the other way round: nothing but width
    and height changing places where it lies on its side."""
    left, top, right, bottom = box
    if abs(abs(roll) - 90) > 45:
        return left, top, right, bottom
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    return x - height / 2, y - width / 2, x + height / 2, y + width / 2
