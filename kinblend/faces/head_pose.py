"""How a head is turned: a rigid model of 68 points in space, laid over the points in the picture.

The model is the rigid part of 3,159 sets of dlib's landmarks on synthetic faces, by factorization (Tomasi & Kanade
1992) in a scaled orthographic camera, mirrored onto itself. Its zero pitch is the median of those faces.
`benchmarks/head_model.py` made it and docs/families.md has its errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import FaceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MODEL = Path(__file__).parent / "head.safetensors"
# Brows, nose, eyes, the mouth's corners and the chin. The rest of dlib's jaw slides along the contour as the head
# turns, and lips move.
RIGID = (*range(17, 48), 48, 54, 8)
# How much each counts: the nose stands out most, which tells a turn, and a smile moves the mouth's corners.
NOSE, MOUTH = 2.0, 0.5
WEIGHTS = tuple(NOSE if 27 <= i < 36 else MOUTH if i in (48, 54) else 1.0 for i in RIGID)
STEPS = 10


@dataclass(frozen=True)
class Head:
    """Degrees: yaw positive towards the picture's right, pitch positive upwards, roll positive clockwise.

    The head is turned by yaw first, then by pitch, then by roll. error: root mean square distance of the points from
    the model's, as a share of the distance between the outer corners of the eyes.
    """

    yaw: float
    pitch: float
    roll: float
    error: float


def fit_head(landmarks: NDArray[Any]) -> Head:
    """The pose of a head from its 68 points, or the detector's five (eyes, nose tip, mouth's corners).

    landmarks: float [68, 2] or [5, 2] (x, y) in pixels. Raises `FaceError` where they span no face.
    """
    import numpy as np

    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape not in ((68, 2), (5, 2)) or not np.isfinite(points).all():
        raise FaceError(f"a pose needs 68 or 5 finite landmarks, not {list(points.shape)}")
    model = five_points() if len(points) == 5 else _model()[list(RIGID)]
    seen = points if len(points) == 5 else points[list(RIGID)]
    rotation, scale, left = fit_rotation(model, seen, None if len(points) == 5 else WEIGHTS)
    yaw, pitch, roll = angles(rotation)
    eyes = float(np.linalg.norm(_model()[36] - _model()[45])) * scale
    return Head(yaw, pitch, roll, float(np.sqrt(np.square(left).sum(1).mean())) / eyes)


def fit_rotation(
    model: NDArray[Any], seen: NDArray[Any], weights: Sequence[float] | None = None
) -> tuple[NDArray[Any], float, NDArray[Any]]:
    """The rotation [3, 3] and scale that lay `model` [n, 3] over `seen` [n, 2], and what is left [n, 2].

    Least squares in a scaled orthographic camera, by Gauss-Newton steps from the best affine camera.
    weights: of the points' squared distances; the same for all unless given.
    """
    import numpy as np

    roots = np.sqrt(np.ones(len(model)) if weights is None else np.asarray(weights))[:, None]
    model, seen = (points - np.average(points, axis=0, weights=roots[:, 0] ** 2) for points in (model, seen))
    affine = np.linalg.lstsq(roots * model, roots * seen, rcond=None)[0].T
    left, sizes, right = np.linalg.svd(affine, full_matrices=False)
    scale = float(sizes.mean())
    if not scale > 1e-9:
        raise FaceError("the landmarks span no face; choose another picture")
    two = left @ right
    rotation = np.vstack([two, np.cross(two[0], two[1])])
    for _ in range(STEPS):
        turned = model @ rotation.T
        slopes, away = _slopes(turned, scale), seen - scale * turned[:, :2]
        step = np.linalg.lstsq(slopes * np.repeat(roots, 2, axis=0), (roots * away).reshape(-1), rcond=None)[0]
        rotation, scale = _turn(step[:3]) @ rotation, scale + float(step[3])
    return rotation, scale, seen - scale * (model @ rotation.T)[:, :2]


def _slopes(turned: NDArray[Any], scale: float) -> NDArray[Any]:
    """How the picture's points move with a small turn about the three axes and with the scale: [2n, 4]."""
    import numpy as np

    x, y, z = turned.T
    none = np.zeros_like(x)
    across = np.stack([none, scale * z, -scale * y, x], axis=1)
    down = np.stack([-scale * z, none, scale * x, y], axis=1)
    return np.stack([across, down], axis=1).reshape(-1, 4)


def _turn(about: NDArray[Any]) -> NDArray[Any]:
    """The rotation about an axis by its length in radians (Rodrigues)."""
    import numpy as np

    angle = float(np.linalg.norm(about))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = about / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: NDArray[Any] = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turn


def angles(rotation: NDArray[Any]) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, as `Head` counts them, of a rotation [3, 3] (x right, y down, z away)."""
    import numpy as np

    pitch = -np.degrees(np.arcsin(np.clip(rotation[2, 1], -1, 1)))
    yaw = np.degrees(np.arctan2(rotation[2, 0], rotation[2, 2]))
    roll = np.degrees(np.arctan2(-rotation[0, 1], rotation[1, 1]))
    return float(yaw), float(pitch), float(roll)


@cache
def _model() -> NDArray[Any]:
    """The model, float64 [68, 3]: x to the picture's right, y down, z away from the camera."""
    import numpy as np

    from kinblend.tensor_files import load_file

    points: NDArray[Any] = load_file(MODEL, "np")["points"].astype(np.float64)
    return points


@cache
def five_points() -> NDArray[Any]:
    """The model's eyes, nose tip and mouth's corners, as a detector gives them: float64 [5, 3]."""
    import numpy as np

    points = _model()
    five: NDArray[Any] = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    return five
