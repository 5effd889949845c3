"""What a picture of a face and its landmarks tell by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MEASURES = ("width", "yaw", "beard", "mouth")
COLOURS = 8  # numbers of a complexion
DARKEST = 8  # of 255; added, so that black has a logarithm
REACH = 0.03  # of the distance between the eyes' outer corners: half the side of a patch

# Each patch lies round the middle of some of the 68 landmarks.
CHEEKS = ((41, 31, 48, 3), (46, 35, 54, 13))
CHIN = ((57, 8), (48, 6), (54, 10), (51, 33))
# One over each eye: as far above the brow as 1.3 times the brow is above the eye.
BROWS, EYELIDS, ABOVE = (19, 24), (37, 44), 1.3


def measure(picture: Image, landmarks: NDArray[Any]) -> dict[str, float]:
    """The face's width, its turn, how dark its chin is, and its mouth. landmarks: float [68, 2] in pixels.

    width: cheek to cheek, over the height from the brows to the chin. yaw: the nose's tip between the eyes, in eye
    distances. beard: how much darker chin and upper lip are than the cheeks, as a logarithm. mouth: how far the lips
    are apart, in eye distances; 0 where they are closed.
    """
    left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    line = right - left
    turned = (landmarks[30] - (left + right) / 2) @ line / (line @ line)
    across = np.hypot(*(landmarks[14] - landmarks[2]))
    down = np.hypot(*(landmarks[8] - landmarks[[21, 22]].mean(axis=0)))
    light = _reader(np.asarray(picture.convert("L"), dtype=np.float64)[..., None], landmarks)
    cheeks, chin = (np.mean([light(_middle(landmarks, of)) for of in patches]) for patches in (CHEEKS, CHIN))
    apart = np.hypot(*(landmarks[[67, 66, 65]] - landmarks[[61, 62, 63]]).mean(axis=0)) / np.hypot(*line)
    return {"width": float(across / down), "yaw": float(turned), "beard": float(cheeks - chin), "mouth": float(apart)}


def complexion(picture: Image, landmarks: NDArray[Any]) -> NDArray[np.float64]:
    """The skin's colours, logarithms [8]: of the forehead and the cheeks red, green and blue each; of the chin its
    two tints, for how dark it is tells of a beard."""
    colour = _reader(np.asarray(picture.convert("RGB"), dtype=np.float64), landmarks)
    above = landmarks[list(BROWS)] + ABOVE * (landmarks[list(BROWS)] - landmarks[list(EYELIDS)])
    forehead = np.mean([colour(place) for place in above], axis=0)
    cheeks, chin = (np.mean([colour(_middle(landmarks, of)) for of in patches], axis=0) for patches in (CHEEKS, CHIN))
    red, green, blue = chin
    return np.array([*forehead, *cheeks, red - green, (red + green) / 2 - blue])


def _reader(channels: NDArray[np.float64], landmarks: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """The median logarithms [c] in a patch round a place (x, y) of a picture [H, W, c]."""
    logs = np.log(channels + DARKEST)
    reach = max(1, round(REACH * np.hypot(*(landmarks[45] - landmarks[36]))))

    def at(place: NDArray[Any]) -> NDArray[np.float64]:
        left, top = (min(int(max(0, p - reach)), side - 1) for p, side in zip(place, logs.shape[1::-1], strict=True))
        x, y = place
        patch = logs[top : max(int(y + reach), top) + 1, left : max(int(x + reach), left) + 1]
        return np.asarray(np.median(patch, axis=(0, 1)))

    return at


def _middle(landmarks: NDArray[Any], points: tuple[int, ...]) -> NDArray[Any]:
    middle: NDArray[Any] = landmarks[list(points)].mean(axis=0)
    return middle
