"""How many pixels a face really has: a small one blown up looks large and isn't."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

FACTORS = (8, 6, 4, 3, 2)
ALIKE = 40.0  # dB; noise and texture of a real photograph don't come back from half the size that well


def effective_resolution(face: Image) -> float:
    """The shorter side, in pixels, of the smallest copy that `face` can be made from again with little loss.

    Whole pixels repeated and smooth enlargements are both noticed. An area without any detail is smaller than it is.
    """
    side = min(face.size)
    factor = next((f for f in FACTORS if side >= 4 * f and _survives(face, f)), 1)
    return side / factor


def _survives(face: Image, factor: int) -> bool:
    import numpy as np
    from PIL import Image as pil

    small = (max(1, round(face.width / factor)), max(1, round(face.height / factor)))
    before = np.asarray(face.convert("L"), dtype=np.float64)
    for down, up in ((pil.Resampling.BOX, pil.Resampling.NEAREST), (pil.Resampling.LANCZOS, pil.Resampling.BICUBIC)):
        copy = face.convert("L").resize(small, down).resize(face.size, up)
        error = float(np.square(np.asarray(copy, dtype=np.float64) - before).mean())
        if error == 0 or 10 * np.log10(255**2 / error) > ALIKE:
            return True
    return False
