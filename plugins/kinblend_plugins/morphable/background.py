"""Hair, ears, neck and background round a face that was not photographed with them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend_plugins.morphable import geometry
from kinblend_plugins.morphable.beard import EXTENT, LITTLE, MARGIN, TONES, Beard
from kinblend_plugins.morphable.model import Morphable, resize
from kinblend_plugins.morphable.skin import spread, tints

FILLED = 128  # px of a picture in which a beard's place is filled
SHADE = 0.72  # how bright a neck is beneath a chin, beside the face
HAIRY_FROM, HAIRY_TO = 0.35, 0.7  # of the beard's darkness: pixels that are no hair, and that are


def complexion_change(model: Morphable, texture: Tensor, tone: Tensor) -> Tensor:
    """How much lighter and in which colour a face is than the one its background was photographed with.

    texture: the face's, [n, 3, S, S]. tone: the other's, coarsely, [n, 3, TONES, TONES]. Returns
    float32 [n, 3, EXTENT, EXTENT]: the change over the frame and round it, continued smoothly from the face.
    """
    known = F.pad(resize(model.window.to(texture), TONES), [MARGIN] * 4).expand(len(texture), -1, -1, -1)
    change = F.pad(resize(texture, TONES) - tone, [MARGIN] * 4)
    return spread(change, known.square() * 0.999 + 1e-6).view(-1, 3, EXTENT, EXTENT)


def matched(background: Tensor, skin: Tensor, change: Tensor, to_frame: Tensor) -> Tensor:
    """The background with its neck and ears in the face's complexion.

    background: [n, 3, R, R]. skin: where it shows skin, [n, 1, R, R]. change: of `complexion_change`. to_frame: for
    each pixel its place in the frame, [n, R, R, 2].
    """
    return background + geometry.sample(change, (to_frame * TONES + MARGIN) / EXTENT, "bilinear") * skin


def joined(face: Tensor, background: Tensor, window: Tensor, hair: Tensor) -> Tensor:
    """Face over background, hair over face. window, hair: where they are, [n, 1, R, R] in [0, 1]."""
    return background + (face - background) * (window * (1 - hair))


def beardless(
    background: Tensor, skin: Tensor, face: Tensor, window: Tensor, beard: Beard, to_frame: Tensor
) -> Tensor:
    """The background without the beard of its photograph.

    Where the beard hung before the neck, skin is continued there; beside the jaw, what lies behind. background, skin:
    as for `matched`. face, window: the face as it is put there, [n, 3, R, R] and [n, 1, R, R]. to_frame: as for
    `matched`.
    """
    at = (to_frame * TONES + MARGIN) / EXTENT
    gone, dark, neck = geometry.sample(beard.places, at, "bilinear").split(1, 1)
    darkness = (beard.skin_light - tints(background)[:, :1]) / dark.clamp_min(LITTLE)
    hairy = ((darkness - HAIRY_FROM) / (HAIRY_TO - HAIRY_FROM)).clamp(0, 1) * (gone > 0)
    around = 2 * (background.shape[-1] // 170) + 1
    hairy = F.avg_pool2d(F.max_pool2d(hairy, around, 1, around // 2), around, 1, around // 2)
    bare = (1 - hairy).square()
    shaded = (face + 1) * SHADE - 1
    skins = _filled(joined(shaded, background, window, background.new_zeros(1)), torch.maximum(window, skin * bare))
    behind = _filled(background, bare * (1 - window) * (1 - skin))
    result: Tensor = background + (torch.lerp(behind, skins, neck) - background) * (hairy * gone)
    return result


def _filled(pictures: Tensor, known: Tensor) -> Tensor:
    """Pictures [n, 3, R, R] continued from where they are known, [n, 1, R, R] in [0, 1], coarsely."""
    small, weights = (
        F.interpolate(x, size=(FILLED, FILLED), mode="bilinear", antialias=True) for x in (pictures, known)
    )
    continued: Tensor = F.interpolate(spread(small, weights * 0.999 + 1e-5), pictures.shape[2:], mode="bilinear")
    return continued
