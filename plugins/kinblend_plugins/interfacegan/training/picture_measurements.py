"""What a generated picture shows: numbers from its pixels, its 68 landmarks and, where there is one, a parser.

Age and sex are an analyser's. The rest needs no network but dlib's landmarks; a network that names the parts of a
face (19 classes, as CelebAMask-HQ has them) makes glasses and hair surer, and alone tells headwear and length of
hair.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.errors import InputError, ModelError
from kinblend.faces.attributes import hair_patch
from kinblend_plugins.interfacegan.training.face_measurements import complexion, measure

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Parser = Callable[[Image], NDArray[Any]]

GLASSES, HAIR, HAT = 6, 17, 18  # classes of the parser
MIN_HAIR = 0.15  # of the squared eye distance; less of it has no colour
WIDEST_GAP, MAX_GLASSES, MAX_HAIR, MAX_HAT = 0.35, 1.2, 1.6, 2.0  # beyond these nothing more is meant
BRIDGE = np.linspace(-0.25, 0.35, 25)  # places down the nose's bridge, in eye distances


def measure_picture(picture: Image, landmarks: NDArray[Any], parser: Parser | None = None) -> dict[str, float]:
    """Numbers of a face in a square crop. landmarks: float [68, 2] in pixels.

    smile: how far the corners of the mouth are above its middle; mouth: how far it is open; both in eye distances.
    glasses: the strongest edge down the bridge of the nose or, with a parser, the root of their area. beard, yaw: as
    `measure` has them. pitch: how far down the face the nose's tip is. hair: how dark. skin, redness: of
    the cheeks and the forehead, darker and redder. With a parser also hair_length, the root of the area of hair below
    the chin, and hat, the root of its area.
    """
    eyes = landmarks[36:42].mean(0), landmarks[42:48].mean(0)
    distance = float(np.hypot(*(eyes[1] - eyes[0])))
    measured, colours = measure(picture, landmarks), complexion(picture, landmarks)
    found = {name: measured[name] for name in ("beard", "yaw")}
    found |= _mouth(landmarks, distance)
    middle = (eyes[0] + eyes[1]) / 2
    found["pitch"] = float((landmarks[30] - middle)[1] / max(1.0, (landmarks[8] - middle)[1]))
    found |= {"skin": -float(colours[:6].mean()), "redness": float(colours[3] - colours[4])}
    if parser is None:
        return found | {
            "glasses": _edge(picture, middle, distance),
            "hair": _darkness_above(picture, landmarks),
        }
    return found | _of_parts(picture, parser(picture), landmarks, distance)


def read_parser(path: Path) -> Parser:
    """A network that names the parts of a face, `.tflite`: RGB in [−1, 1] → classes [H, W].

    Raises `ModelError` where ai-edge-litert is not installed, and `InputError` for a file that is no such network.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ModelError("a parser of faces needs the package ai-edge-litert: pip install ai-edge-litert") from error
    try:
        network = Interpreter(str(path), num_threads=1)
        network.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path} is no network in TensorFlow Lite's format: {error}") from error
    taken, given = network.get_input_details()[0], network.get_output_details()[0]

    def parse(picture: Image) -> NDArray[Any]:
        pixels = np.asarray(picture.convert("RGB").resize((taken["shape"][2], taken["shape"][1])), np.float32)
        network.set_tensor(taken["index"], (pixels / 127.5 - 1)[None])
        network.invoke()
        return np.asarray(network.get_tensor(given["index"])).squeeze()

    return parse


def _mouth(landmarks: NDArray[Any], distance: float) -> dict[str, float]:
    upper, lower, corners = landmarks[62], landmarks[66], (landmarks[48] + landmarks[54]) / 2
    gap = float((lower - upper)[1] / distance)
    return {"smile": float(((upper + lower) / 2 - corners)[1] / distance), "mouth": min(max(gap, 0.0), WIDEST_GAP)}


def _edge(picture: Image, middle: NDArray[Any], distance: float) -> float:
    """The strongest change of grey, of 255, between neighbouring places down the bridge of the nose."""
    grey = np.asarray(picture.convert("L"), np.float64)
    reach = max(1, round(0.05 * distance))
    means = []
    for share in BRIDGE:
        x, y = round(middle[0]), round(middle[1] + share * distance)
        means.append(grey[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].mean())
    return float(np.abs(np.diff(means)).max())


def _darkness_above(picture: Image, landmarks: NDArray[Any]) -> float:
    """How dark it is where hair begins, of 255."""
    return 255 - float(np.median(hair_patch(np.asarray(picture.convert("L"), np.float64), landmarks)))


def _of_parts(picture: Image, parts: NDArray[Any], landmarks: NDArray[Any], distance: float) -> dict[str, float]:
    scale = parts.shape[0] / picture.height
    unit = (distance * scale) ** 2
    hair = parts == HAIR
    grey = np.asarray(picture.convert("L").resize(parts.shape[::-1]), np.float64)
    below = hair[max(0, round(landmarks[8][1] * scale)) :]
    return {
        "glasses": min(float((parts == GLASSES).sum() / unit) ** 0.5, MAX_GLASSES),
        "hair": 255 - float(np.median(grey[hair])) if hair.sum() > MIN_HAIR * unit else float("nan"),
        "hair_length": min(float(below.sum() / unit) ** 0.5, MAX_HAIR),
        "hat": min(float((parts == HAT).sum() / unit) ** 0.5, MAX_HAT),
    }
