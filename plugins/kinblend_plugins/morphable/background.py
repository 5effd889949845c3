"""Hair, ears, neck and background round a face that was not photographed with them."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from kinblend_plugins.morphable import geometry
from kinblend_plugins.morphable.model import BANDS, Morphable, resize
from kinblend_plugins.morphable.skin import spread

TONES = BANDS[0]  # px of the frame's side that complexions are compared at
MARGIN = 16  # more such pixels on each side: they reach over the whole crop


def complexion_change(model: Morphable, texture: Tensor, tone: Tensor) -> Tensor:
    """How much lighter and in which colour a face is than the one its background was photographed with.

    texture: the face's, [n, 3, S, S]. tone: the other's, coarsely, [n, 3, TONES, TONES]. Returns
    float32 [n, 3, TONES + 2·MARGIN, …]: the change over the frame and round it, continued smoothly from the face.
    """
    size = TONES + 2 * MARGIN
    known = F.pad(resize(model.window.to(texture), TONES), [MARGIN] * 4).expand(len(texture), -1, -1, -1)
    change = F.pad(resize(texture, TONES) - tone, [MARGIN] * 4)
    return spread(change, known.square() * 0.999 + 1e-6).view(-1, 3, size, size)


def matched(background: Tensor, skin: Tensor, change: Tensor, to_frame: Tensor) -> Tensor:
    """The background with its neck and ears in the face's complexion.

    background: [n, 3, R, R]. skin: where it shows skin, [n, 1, R, R]. change: of `complexion_change`. to_frame: for
    each pixel its place in the frame, [n, R, R, 2].
    """
    size = TONES + 2 * MARGIN
    return background + geometry.sample(change, (to_frame * TONES + MARGIN) / size, "bilinear") * skin


def joined(face: Tensor, background: Tensor, window: Tensor, hair: Tensor) -> Tensor:
    """Face over background, hair over face. window, hair: where they are, [n, 1, R, R] in [0, 1]."""
    return background + (face - background) * (window * (1 - hair))
