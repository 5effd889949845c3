"""Yaw, pitch and roll by the detector's five points as they lie in the plane of the picture, to hold the model's
against (`head_pose.fit_head`, which is what kinblend uses).

Roll is the tilt of the eyes' line. Yaw is how far the nose tip stands from the eyes' middle along that line, pitch
how far down between eyes and mouth. Each is right where the head is turned about that axis alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinblend.faces.head_pose import five_points
from kinblend.faces.yaw import yaw

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FlatPose:
    """Degrees, signs as those of `head_pose.Head`."""

    yaw: float
    pitch: float
    roll: float


def flat_pose(points: NDArray[Any]) -> FlatPose:
    """points: float [5, 2], both eyes, the nose tip and the mouth's corners, in pixels."""
    import numpy as np

    line = points[1] - points[0]
    return FlatPose(yaw(points), _pitch(points), float(np.degrees(np.arctan2(line[1], line[0]))))


def _pitch(points: NDArray[Any]) -> float:
    """In (−90, 90): a nod by θ moves a point of the head at height y and depth z to y·cos θ + z·sin θ; where the nose
    comes to lie between eyes and mouth gives tan θ."""
    import numpy as np

    nose, mouth = _below_eyes(points)
    if abs(mouth) < 1e-9:
        return 90.0
    share, model = nose / mouth, five_points()
    eyes = model[:2].mean(0)
    (_, y_nose, z_nose), (_, y_mouth, z_mouth) = model[2] - eyes, model[3:].mean(0) - eyes
    return float(np.degrees(np.arctan((y_nose - share * y_mouth) / (share * z_mouth - z_nose))))


def _below_eyes(points: NDArray[Any]) -> tuple[float, float]:
    """How far nose tip and mouth lie below the line of the eyes, in pixels."""
    import numpy as np

    left, right, nose = points[:3]
    line = (right - left) / max(float(np.hypot(*(right - left))), 1e-9)
    across, middle = np.array([-line[1], line[0]]), (left + right) / 2
    return float((nose - middle) @ across), float((points[3:].mean(0) - middle) @ across)
