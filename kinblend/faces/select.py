"""One face in a picture, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinblend.errors import FaceTooSmallError, NoFaceError, ProfileError, SeveralFacesError
from kinblend.face_interfaces import Detection
from kinblend.faces.detect import detect
from kinblend.faces.landmarks import predict_any_way_up
from kinblend.faces.quality import check_whole
from kinblend.faces.yaw import yaw

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SMALLEST_FACE = 40  # pixels of the box's shorter side
BACKGROUND = 0.1  # faces under this share of the largest one's area belong to the background
LARGEST_YAW = 35.0  # degrees; seven people facing ahead measured 0 to 10, turned aside 32 to 62


@dataclass(frozen=True)
class DetectedFace:
    """A face that was found.

    box: (left, top, right, bottom) in pixels of the picture.
    probability: the detector's, in [0, 1].
    landmarks: float64 [68, 2] (x, y) in pixels of the picture.
    yaw: degrees the head is turned, positive towards the picture's right.
    """

    box: tuple[float, float, float, float]
    probability: float
    landmarks: NDArray[Any]
    yaw: float


def find_face(image: Image, *, face: int | None = None, name: str = "the picture") -> DetectedFace:
    """The one face of an RGB picture, or number `face` of several, counted from 1, left to right.

    The picture may be turned by any angle. Raises `NoFaceError`, `SeveralFacesError`, `FaceTooSmallError`,
    `FaceCutOffError` and `ProfileError`, which call the picture `name`.
    """
    chosen = choose_face(faces_in(image), face, name)
    smallest = min(chosen.width, chosen.height)
    if smallest < SMALLEST_FACE:
        raise FaceTooSmallError(
            f"the face in {name} is {chosen.width:.0f}×{chosen.height:.0f} pixels; at least {SMALLEST_FACE} are "
            "needed each way. Use a larger version of the picture or one taken closer"
        )
    landmarks = predict_any_way_up(image, chosen)
    check_whole(landmarks, chosen.box, image.size, name)
    turned = yaw(chosen.points)
    if abs(turned) > LARGEST_YAW:
        raise ProfileError(
            f"the head in {name} is turned about {abs(turned):.0f}° to the side; at most {LARGEST_YAW:.0f}° work. "
            "Use a picture in which the face looks towards the camera"
        )
    return DetectedFace(chosen.box, chosen.probability, landmarks, turned)


def faces_in(image: Image) -> list[Detection]:
    """The faces of an RGB picture among which `find_face` chooses, left to right.

    Those far smaller than the largest don't count: people in the background, and what a detector takes for a face
    beside one, such as an ear.
    """
    return foreground(detect(image))


def foreground(faces: Sequence[Detection]) -> list[Detection]:
    """Those of an area of at least a tenth of the largest."""
    largest = max((face.area for face in faces), default=0.0)
    return [face for face in faces if face.area >= BACKGROUND * largest]


def choose_face(faces: Sequence[Detection], number: int | None, name: str) -> Detection:
    """One of the faces of a picture, by its number from the left, or the only one. name: what errors call the
    picture. Raises `NoFaceError`, `SeveralFacesError`."""
    if not faces:
        raise NoFaceError(
            f"no face was found in {name}; use a sharp, well-lit picture in which one face looks towards the "
            "camera and fills a good part of the frame"
        )
    if number is None and len(faces) == 1:
        return faces[0]
    if number is not None and 1 <= number <= len(faces):
        return faces[number - 1]
    listed = "; ".join(
        f"{place}: left {face.box[0]:.0f}, top {face.box[1]:.0f}, {face.width:.0f}×{face.height:.0f} pixels"
        for place, face in enumerate(faces, start=1)
    )
    if number is None:
        raise SeveralFacesError(
            f"{len(faces)} faces were found in {name} ({listed}). Choose one by its number, from 1 to "
            f"{len(faces)}, counted from the left, or crop the picture"
        )
    count = "1 face was" if len(faces) == 1 else f"{len(faces)} faces were"
    raise NoFaceError(f"there is no face number {number} in {name}: {count} found ({listed}). Choose one of these")
