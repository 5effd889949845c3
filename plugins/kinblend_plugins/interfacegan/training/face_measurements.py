"""What a picture of a face and its landmarks tell by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.faces.attributes import cheeks, face_shape, forehead, patch_reader

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

MEASURES = ("width", "yaw", "beard", "mouth")
COLOURS = 8  # numbers of a complexion
DARKEST = 8  # of 255; added, so that black has a logarithm
CHIN = ((57, 8), (48, 6), (54, 10), (51, 33))  # each patch lies round the middle of some of the 68 landmarks


def measure(picture: Image, landmarks: NDArray[Any]) -> dict[str, float]:
    """The face's width, its turn, how dark its chin is, and its mouth. landmarks: float [68, 2] in pixels.

    width: cheek to cheek, over the height from the brows to the chin. yaw: the nose's tip between the eyes, in eye
    distances. beard: how much darker chin and upper lip are than the cheeks, as a logarithm. mouth: how far the lips
    are apart, in eye distances; 0 where they are closed.
    """
    left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    line = right - left
    turned = (landmarks[30] - (left + right) / 2) @ line / (line @ line)
    light = patch_reader(_logarithms(picture.convert("L"))[..., None], landmarks)
    bare, chin = (np.mean([light(place) for place in places]) for places in (cheeks(landmarks), _chin(landmarks)))
    apart = np.hypot(*(landmarks[[67, 66, 65]] - landmarks[[61, 62, 63]]).mean(axis=0)) / np.hypot(*line)
    return {
        "width": face_shape(landmarks)["face width"],
        "yaw": float(turned),
        "beard": float(bare - chin),
        "mouth": float(apart),
    }


def complexion(picture: Image, landmarks: NDArray[Any]) -> NDArray[np.float64]:
    """The skin's colours, logarithms [8]: of the forehead and the cheeks red, green and blue each; of the chin its
    two tints, for how dark it is tells of a beard."""
    colour = patch_reader(_logarithms(picture.convert("RGB")), landmarks)
    places = (forehead(landmarks), cheeks(landmarks), _chin(landmarks))
    above, below, chin = (np.mean([colour(place) for place in some], axis=0) for some in places)
    red, green, blue = chin
    return np.array([*above, *below, red - green, (red + green) / 2 - blue])


def _logarithms(picture: Image) -> NDArray[np.float64]:
    return np.asarray(np.log(np.asarray(picture, dtype=np.float64) + DARKEST))


def _chin(landmarks: NDArray[Any]) -> NDArray[Any]:
    return np.stack([landmarks[list(points)].mean(axis=0) for points in CHIN])
