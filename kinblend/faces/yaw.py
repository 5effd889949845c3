"""How far a head is turned, from the detector's five points.

dlib's 68 points don't tell: on a profile its predictor invents the hidden half of a face that looks ahead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The eyes are about this many times as far apart as the nose tip stands before them.
EYES_TO_NOSE = 1.6


def yaw(points: NDArray[Any]) -> float:
    """Degrees the head is turned, in [−90, 90], positive towards the picture's right.

    points: float [5, 2], both eyes, the nose tip and the mouth's corners; the mouth is not used.
    A turn by θ moves the nose tip by depth·sin θ along the line of the eyes, whose length shrinks with cos θ.
    """
    import numpy as np

    left, right, nose = points[:3]
    line = right - left
    length = float(np.hypot(*line))
    if length == 0:
        return 90.0
    offset = float((nose - (left + right) / 2) @ (line / length))
    return float(np.degrees(np.arctan(EYES_TO_NOSE * offset / length)))
