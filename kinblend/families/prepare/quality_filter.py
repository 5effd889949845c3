"""Which pictures are no use: no human face, several people, too few pixels, a head turned away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinblend.face_interfaces import Detection
from kinblend.faces.resolution import effective_resolution
from kinblend.faces.select import foreground
from kinblend.faces.yaw import yaw
from kinblend.families.prepare.cache import StageResult, reject
from kinblend.families.prepare.options import PrepareOptions

if TYPE_CHECKING:
    from PIL.Image import Image


def check_quality(image: Image, faces: Sequence[Detection], options: PrepareOptions) -> StageResult:
    """The one face of a picture, with the region around it that is worked on, or why the picture is left out."""
    near = foreground(faces)
    if not near:
        return reject("no face", "no human face was found")
    if len(near) > 1:
        return reject("several people", f"{len(near)} faces of a like size were found")
    [face] = near
    pixels = effective_resolution(image.crop(_clipped(face.box, image)))
    if pixels < options.min_face_px:
        return reject(
            "too pixelated", f"the face has {pixels:.0f} true pixels; at least {options.min_face_px:.0f} are needed"
        )
    turned = yaw(face.points)
    if abs(turned) > options.max_yaw:
        return reject("turned away", f"the head is turned {abs(turned):.0f}°; at most {options.max_yaw:.0f}° work")
    left, top, right, bottom = face.box
    around = (left - face.width, top - face.height, right + face.width, bottom + face.height)
    return StageResult(
        {
            "box": [round(value, 3) for value in face.box],
            "side": round(min(face.width, face.height), 3),
            "points": [[round(float(value), 3) for value in point] for point in face.points],
            "region": _clipped(around, image),
            "picture": list(image.size),
            "true_size": round(pixels, 1),
        }
    )


def _clipped(box: Sequence[float], image: Image) -> tuple[int, int, int, int]:
    """The whole pixels of a box that lie inside the picture, at least one."""
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    right, bottom = min(image.width, int(box[2]) + 1), min(image.height, int(box[3]) + 1)
    return min(left, image.width - 1), min(top, image.height - 1), max(right, left + 1), max(bottom, top + 1)
