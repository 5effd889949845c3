"""How far a head is turned, from its landmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The outer eye corners are about this many times as far apart as the nose tip stands before them.
EYES_TO_NOSE = 2.5


def yaw(landmarks: NDArray[Any]) -> float:
    """Degrees the head is turned, in (−90, 90), from float [68, 2]; positive towards the picture's right.

    A turn by θ moves the nose tip by depth·sin θ along the line of the eyes, whose length shrinks with cos θ.
    """
    import numpy as np

    left, right, nose = landmarks[36], landmarks[45], landmarks[30]
    line = right - left
    length = float(np.hypot(*line))
    if length == 0:
        return 90.0
    offset = float((nose - (left + right) / 2) @ (line / length))
    return float(np.degrees(np.arctan(EYES_TO_NOSE * offset / length)))
