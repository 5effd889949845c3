"""What was found in a photograph, drawn on it: the face's square, its box, the 68 landmarks, the head's angles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kinblend.faces.alignment import face_square
from kinblend.faces.quality import FaceQuality
from kinblend.faces.select import DetectedFace

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

LEAST = 640  # px of the drawing's longer side; smaller photographs are enlarged
MOST = 2048
SQUARE, BOX, POINTS, AXES = "#ffb000", "#648fff", "#00ff66", ("#ff4040", "#40ff40", "#4080ff")
# iBUG 300-W's 68 points: jaw, brows, nose, eyes, lips; and whether the line is closed.
LINES = (
    (range(17), False),
    (range(17, 22), False),
    (range(22, 27), False),
    (range(27, 31), False),
    (range(31, 36), False),
    (range(36, 42), True),
    (range(42, 48), True),
    (range(48, 60), True),
    (range(60, 68), True),
)


def draw_face(image: Image, found: DetectedFace, quality: FaceQuality) -> Image:
    """A copy of the RGB photograph with the face drawn into it, and a line of figures below."""
    from PIL import Image as pil
    from PIL import ImageDraw

    longer = max(image.size)
    scale = min(max(longer, LEAST), MOST) / longer
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    lines = _captions(quality)
    height = max(14, size[0] // 45)
    drawn = pil.new("RGB", (size[0], size[1] + (len(lines) * 14 + 8) * height // 10), "black")
    drawn.paste(image.resize(size, pil.Resampling.LANCZOS), (0, 0))
    draw, points = ImageDraw.Draw(drawn), (found.landmarks + 0.5) * scale - 0.5
    width = max(1, round(max(size) / 600))
    draw.polygon(_pairs(face_square(points).corners()), outline=SQUARE, width=width)
    left, top, right, bottom = (value * scale for value in found.box)
    draw.rectangle((left, top, right, bottom), outline=BOX, width=width)
    _draw_points(draw, points, width)
    _draw_axes(draw, points, quality, width)
    for place, line in enumerate(lines):
        draw.text((height // 2, size[1] + (place * 14 + 4) * height // 10), line, "white", font_size=height)
    return drawn


def _draw_points(draw: ImageDraw, points: NDArray[Any], width: int) -> None:
    for places, closed in LINES:
        line = _pairs(points[[*places, places[0]] if closed else [*places]])
        draw.line(line, fill=POINTS, width=width)
    for x, y in _pairs(points):
        draw.ellipse((x - 1.5 * width, y - 1.5 * width, x + 1.5 * width, y + 1.5 * width), fill=POINTS)


def _draw_axes(draw: ImageDraw, points: NDArray[Any], quality: FaceQuality, width: int) -> None:
    """The head's own axes from the tip of the nose: to its left, down, and out of the face."""
    import numpy as np

    yaw, pitch, roll = np.radians([quality.yaw, quality.pitch, quality.roll])
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    axes = np.array(
        [
            [np.cos(yaw), np.sin(yaw) * np.sin(pitch)],
            [0.0, np.cos(pitch)],
            [np.sin(yaw), -np.cos(yaw) * np.sin(pitch)],
        ]
    )
    length = 0.8 * float(np.hypot(*(points[36] - points[45])))
    for axis, colour in zip(axes @ turn.T * length, AXES, strict=True):
        draw.line(_pairs(np.stack([points[30], points[30] + axis])), fill=colour, width=2 * width)


def _captions(quality: FaceQuality) -> list[str]:
    figures = (
        f"yaw {quality.yaw:+.0f}°   pitch {quality.pitch:+.0f}°   roll {quality.roll:+.0f}°   "
        f"{quality.size:.0f} px   sharpness {quality.sharpness:.2f}"
    )
    return [figures, *(line.partition(":")[0] for line in quality.warnings)]


def _pairs(points: NDArray[Any]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]
