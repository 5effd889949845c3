"""Heritable attributes of a face, measured in a picture: its shape, and the colours of eyes, skin and hair.

Only landmarks and pixels are used. Shape is of the picture: a turned head is narrower, and a smile widens the mouth.
Colours depend on the light. Points are float [68, 2] (x, y) in pixels, in the order of iBUG 300-W.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.faces.landmarks import predict_in_crop

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

ATTRIBUTES = {
    "face shape": ("face width", "jaw width", "eye distance", "nose width", "nose length", "mouth width"),
    "eye colour": ("eye L*", "eye a*", "eye b*"),
    "complexion": ("skin L*", "skin a*", "skin b*"),
    "hair colour": ("hair L*", "hair a*", "hair b*"),
}
NAMES = tuple(name for names in ATTRIBUTES.values() for name in names)
REACH = 0.03  # of the distance between the eyes' outer corners: half the side of a patch
HAIR_ABOVE, HAIR_REACH = 1.7, 0.12  # eye distances above the eyes, and half the side of the patch there
# An iris's radius is about 0.19 of the eye's width; the pupil in its middle and the lids are left out.
PUPIL, IRIS, LEAST_OPEN = 0.07, 0.17, 0.15  # of the eye's width
EYES = (slice(36, 42), slice(42, 48))

# Each patch lies round the middle of some of the 68 landmarks.
CHEEKS = ((41, 31, 48, 3), (46, 35, 54, 13))
# One over each eye: as far above the brow as 1.3 times the brow is above the eye.
BROWS, EYELIDS, ABOVE = (19, 24), (37, 44), 1.3

Reader = Callable[["NDArray[Any]"], "NDArray[np.float64]"]


def measure_attributes(crops: Sequence[Image]) -> list[dict[str, float]]:
    """All of `NAMES` for each RGB crop in FFHQ geometry; NaN where one can't be seen (closed eyes).

    Shape in units of the face's width, or for lengths downwards its height; colours in CIELAB, L* in [0, 100].
    """
    return [measure_face(crop, predict_in_crop(crop)) for crop in crops]


def measure_face(picture: Image, landmarks: NDArray[Any]) -> dict[str, float]:
    """As `measure_attributes`, of a face whose points are known."""
    lab = cielab(np.asarray(picture.convert("RGB")))
    at = patch_reader(lab, landmarks)
    skin = np.mean([at(place) for place in (*forehead(landmarks), *cheeks(landmarks))], axis=0)
    hair = np.median(hair_patch(lab, landmarks), axis=(0, 1))
    colours = {"eye colour": _iris(lab, landmarks), "complexion": skin, "hair colour": hair}
    found = face_shape(landmarks)
    for group, colour in colours.items():
        found |= zip(ATTRIBUTES[group], map(float, colour), strict=True)
    return found


def face_shape(landmarks: NDArray[Any]) -> dict[str, float]:
    """The names of "face shape" in `ATTRIBUTES`.

    face width: cheek to cheek, over the height from the brows to the chin. jaw width, eye distance, nose width, mouth
    width: over the distance from cheek to cheek. nose length: bridge to base, over the height.
    """
    left, right = (landmarks[eye].mean(axis=0) for eye in EYES)
    across = _length(landmarks[14] - landmarks[2])
    down = _length(landmarks[8] - landmarks[[21, 22]].mean(axis=0))
    return {
        "face width": across / down,
        "jaw width": _length(landmarks[12] - landmarks[4]) / across,
        "eye distance": _length(right - left) / across,
        "nose width": _length(landmarks[35] - landmarks[31]) / across,
        "nose length": _length(landmarks[33] - landmarks[27]) / down,
        "mouth width": _length(landmarks[54] - landmarks[48]) / across,
    }


def cielab(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """sRGB uint8 [..., 3] → CIELAB float64 [..., 3]: L* in [0, 100], a* and b* about [−128, 127], for D65.

    Source: IEC 61966-2-1 (sRGB) and CIE 15:2004.
    """
    encoded = np.asarray(pixels, np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = linear @ (to_xyz / to_xyz.sum(1, keepdims=True)).T  # of D65's white, which is RGB (1, 1, 1)
    x, y, z = np.moveaxis(np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / 3 * (29 / 6) ** 2 + 4 / 29), -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def patch_reader(channels: NDArray[np.float64], landmarks: NDArray[Any]) -> Reader:
    """Gives the median [c] in a patch round a place (x, y) of [H, W, c]."""
    reach = max(1, round(REACH * np.hypot(*(landmarks[45] - landmarks[36]))))

    def at(place: NDArray[Any]) -> NDArray[np.float64]:
        left, top = (
            min(int(max(0, p - reach)), side - 1) for p, side in zip(place, channels.shape[1::-1], strict=True)
        )
        x, y = place
        patch = channels[top : max(int(y + reach), top) + 1, left : max(int(x + reach), left) + 1]
        return np.asarray(np.median(patch, axis=(0, 1)))

    return at


def cheeks(landmarks: NDArray[Any]) -> NDArray[Any]:
    """The middles of both cheeks: [2, 2]."""
    return np.stack([landmarks[list(points)].mean(axis=0) for points in CHEEKS])


def forehead(landmarks: NDArray[Any]) -> NDArray[Any]:
    """A place on the forehead above each eye: [2, 2]."""
    brows: NDArray[Any] = landmarks[list(BROWS)]
    above: NDArray[Any] = brows + ABOVE * (brows - landmarks[list(EYELIDS)])
    return above


def hair_patch(channels: NDArray[Any], landmarks: NDArray[Any]) -> NDArray[Any]:
    """The part of a picture [H, W, …] where hair begins, 1.7 eye distances above the eyes.

    It shows whatever is there: the skin of somebody bald, a hat, a background.
    """
    left, right = (landmarks[eye].mean(axis=0) for eye in EYES)
    distance, middle = _length(right - left), (left + right) / 2
    reach = max(1, round(HAIR_REACH * distance))
    x, y = round(middle[0]), max(reach, round(middle[1] - HAIR_ABOVE * distance))
    return channels[y - reach : y + reach + 1, x - reach : x + reach + 1]


def _iris(lab: NDArray[np.float64], landmarks: NDArray[Any]) -> NDArray[np.float64]:
    """The median colour of both irises, [3]; NaN where the eyes are closed."""
    rows, columns = np.mgrid[: lab.shape[0], : lab.shape[1]]
    found = []
    for eye in (landmarks[part] for part in EYES):
        width = _length(eye[3] - eye[0])
        opening = _length(eye[[1, 2]].mean(axis=0) - eye[[4, 5]].mean(axis=0))
        x, y = eye.mean(axis=0)
        away = np.hypot(columns - x, rows - y) / width
        seen = (away > PUPIL) & (away < IRIS) & (np.abs(rows - y) < 0.35 * opening)
        if opening >= LEAST_OPEN * width and seen.any():
            found.append(np.median(lab[seen], axis=0))
    return np.asarray(np.mean(found, axis=0)) if found else np.full(3, np.nan)


def _length(vector: NDArray[Any]) -> float:
    return float(np.hypot(*vector))
