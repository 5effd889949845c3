"""Where the faces are, by the detector in use, which is shown copies of a picture, small ones first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from kinblend.face_interfaces import Detection
from kinblend.faces.upright import faces_any_way_up
from kinblend.plugins import load_component

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.face_interfaces import FaceDetector

SIDES = (320, 640, 1600)  # the longest side of the copies looked at, one after the other
# A copy is enough when its largest face has so many times the detector's smallest: then every face of a tenth of its
# area is found as well.
LARGE = 4


def detect(image: Image, *, upright: bool = False) -> list[Detection]:
    """All faces of an RGB picture, left to right; none gives [].

    upright: the picture is known to stand upright; others are turned until the detector is surest.
    """
    return detect_many([image], upright=upright)[0]


def detect_many(images: Sequence[Image], *, upright: bool = False) -> list[list[Detection]]:
    """As `detect`, for each of several pictures; those of one size go through the network together."""
    found = _detect_upright(images)
    if not upright:
        found = [
            faces_any_way_up(image, faces, lambda turned: _detect_upright([turned])[0], _detect_copies)
            for image, faces in zip(images, found, strict=True)
        ]
    return [sorted(faces, key=lambda face: (face.box[0] + face.box[2], face.box[1])) for faces in found]


def _detect_copies(images: Sequence[Image]) -> list[list[Detection]]:
    """Faces of pictures of one size that are small already."""
    return _detect_at(images, max(images[0].size))


def _detect_upright(images: Sequence[Image]) -> list[list[Detection]]:
    found: list[list[Detection]] = [[] for _ in images]
    left = list(range(len(images)))
    for side in SIDES:
        for place, faces in zip(left, _detect_all([images[place] for place in left], side), strict=True):
            found[place] = faces or found[place]
        left = [place for place in left if not _enough(found[place], side / max(images[place].size))]
    return found


def _enough(faces: Sequence[Detection], scale: float) -> bool:
    """Whether a larger copy could show no further face of the foreground. scale: of the copy that was looked at."""
    return scale >= 1 or any(min(face.width, face.height) * scale >= LARGE * detector().min_size for face in faces)


def _detect_all(images: Sequence[Image], side: int) -> list[list[Detection]]:
    found: list[list[Detection]] = [[] for _ in images]
    places: dict[tuple[int, int], list[int]] = {}
    for place, image in enumerate(images):
        places.setdefault(image.size, []).append(place)
    for same in places.values():
        for place, faces in zip(same, _detect_at([images[place] for place in same], side), strict=True):
            found[place] = faces
    return found


def _detect_at(images: Sequence[Image], side: int) -> list[list[Detection]]:
    """Faces of pictures of one size, looked for in copies whose longer side is at most `side`."""
    from PIL import Image as pil

    whole = images[0].size
    scale = min(1.0, side / max(whole))
    width, height = (max(1, round(length * scale)) for length in whole)
    if min(width, height) < detector().min_size:
        return [[] for _ in images]
    small = [image.convert("RGB") for image in images]
    if scale < 1:
        small = [image.resize((width, height), pil.Resampling.BILINEAR, reducing_gap=2.0) for image in small]
    across, down = whole[0] / width, whole[1] / height
    return [[_scaled(face, across, down) for face in faces] for faces in detector().detect(small)]


def _scaled(face: Detection, across: float, down: float) -> Detection:
    """A face of a copy, in pixels of the picture."""
    left, top, right, bottom = face.box
    box = (left * across, top * down, right * across, bottom * down)
    return replace(face, box=box, points=face.points * [across, down])


def detector() -> FaceDetector:
    """The detector in use. Raises `ModelError` where its weights are missing."""
    found: FaceDetector = load_component("detector")
    return found
