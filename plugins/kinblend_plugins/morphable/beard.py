"""Beards: where they may be, how much of one there is, and faces and surroundings without.

A beard is photographed in three places: in the code, in the residual and in the surroundings, outside of the face's
outline. Where an edit takes it from the code, the other two must follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from kinblend_plugins.morphable import geometry
from kinblend_plugins.morphable.model import DIM, LAYERS, Morphable, resize
from kinblend_plugins.morphable.skin import SIZE, skin_colour, spread, sure, tints, untinted

NOSTRILS = 0.025  # of the frame's side, round the landmarks
# From where to where a value goes from nothing to all:
DARK = (0.08, 0.2)  # how dark the place of a beard is, as a logarithm
HAIRS = (1.15, 1.6)  # how strong its finest texture is, over the cheeks'; at most 1.55 in 60 women
LOST = (0.25, 0.6)  # the share of its darkness that an edit takes: a trimmed beard, and none
GONE = (0.12, 0.88)  # the share of a photograph's beard that a face does not have
LITTLE = 0.1  # a logarithm: darkness that counts
TONES, MARGIN = 24, 16  # px of the frame's side, and of what lies round it on each side
EXTENT = TONES + 2 * MARGIN
ASIDE, BELOW = 0.06, 0.26  # of the frame's side: how far outside of the outline a beard reaches
SOFT = 0.02  # and over how much it ends


@dataclass(frozen=True)
class Beard:
    """A photograph's beard, as it concerns the face that is put into the photograph.

    places: float32 [n, 3, EXTENT, EXTENT], over the frame and MARGIN px on each side of it: how far the beard is not
    the face's, in [0, 1]; how much darker than the cheeks it is, a logarithm; where the neck is, in [0, 1].
    skin_light: how bright the cheeks are, a logarithm, [n, 1, 1, 1].
    """

    places: Tensor
    skin_light: Tensor

    @property
    def is_gone(self) -> bool:
        """Whether any of it is to be taken away."""
        return float(self.places[:, 0].max()) > 0.02


class BeardZone:
    """Where beards grow in the frame of the mean shape.

    points: float [63, 2] in units of the frame's side. mean: the mean face's texture there, float32 [1, 3, S, S].
    window: where the face is, [1, 1, S, S] in [0, 1].
    """

    def __init__(self, points: Tensor, mean: Tensor, window: Tensor) -> None:
        at = geometry.pixel_centres(SIZE)
        lips = _hull(points[48:60])
        nostrils = _within(at, points[31:36], NOSTRILS)
        below = torch.sigmoid((at[..., 1] - points[33, 1] + 0.015) / 0.012)
        half = (points[16, 0] - points[0, 0]) / 2
        # From the nose's base at the middle up to the ears at the sides.
        aside = ((at[..., 0] - points[27, 0]).abs() / half).clamp(0, 1)
        whiskers = torch.sigmoid((at[..., 1] - points[1, 1]) / 0.012) * torch.sigmoid((aside - 0.80) / 0.03)
        self.window = _small(window)[0, 0]
        self.grown = (torch.maximum(below, whiskers) * (1 - lips) * (1 - nostrils)).float()
        self.covered = torch.maximum(torch.maximum(below, whiskers), torch.maximum(lips, nostrils)).float()
        self.around, self.neck = _around(points)
        # The mean face fades to grey at its outline: it is continued from further in.
        self.sure, self.mean = sure(points), spread(_small(mean), self.window[None, None] ** 8 * 0.999 + 1e-6)
        self.usual = self._darker(self.mean)

    @classmethod
    def of(cls, model: Morphable) -> BeardZone:
        """That of a model's mean face."""
        points = (model.mean_shape - torch.tensor(model.corner)) / model.side
        with torch.inference_mode():
            mean = model.texture(torch.zeros(1, LAYERS, DIM, device=model.device), SIZE)
        return cls(points, mean.cpu(), model.window)

    def share(self, textures: Tensor) -> Tensor:
        """How surely faces have beards, in [0, 1]: [n, 3, S, S] → [n].

        A beard is dark, which a shadow is, too, and made of hairs: its finest texture is stronger than the cheeks'.
        """
        fine = textures - resize(resize(textures, SIZE), textures.shape[-1])
        power = resize(fine.square().mean(1, keepdim=True), SIZE)
        inside, cheeks = (self.grown * self.window).to(textures), self.sure.to(textures)
        jaw = (torch.minimum(power, power.flip(-1)) * inside).sum((1, 2, 3)) / inside.sum()
        hairs = (jaw / ((power * cheeks).sum((1, 2, 3)) / cheeks.sum()).clamp_min(1e-8)).sqrt()
        return _step(_between(self.amount(textures), DARK)) * _step(_between(hairs, HAIRS))

    def amount(self, textures: Tensor) -> Tensor:
        """How dark the places are where beards grow, beside the cheeks and beyond the mean face's shading there, as a
        logarithm: [n, 3, S, S] → [n]."""
        inside = (self.grown * self.window).to(textures)
        darker = self._dark(textures)
        return (darker * inside).sum((1, 2, 3)) / inside.sum()

    def _darker(self, small: Tensor) -> Tensor:
        """How much darker than the cheeks each place is: [n, 1, SIZE, SIZE]."""
        return self.skin_light(small) - tints(small)[:, :1]

    def _dark(self, textures: Tensor) -> Tensor:
        """How much darker than that of the mean face each place is: [n, 1, SIZE, SIZE]. A beard is on both sides of a
        face, a shadow on one."""
        dark = (self._darker(_small(textures)) - self.usual.to(textures)).clamp(min=0)
        return torch.minimum(dark, dark.flip(-1))

    def skin_light(self, textures: Tensor) -> Tensor:
        """How bright the cheeks are, a logarithm: [n, 1, 1, 1]."""
        return skin_colour(textures, self.sure.to(textures)).mean[:, :1, None, None]

    def lost(self, before: Tensor, after: Tensor) -> Tensor:
        """How far an edit has taken a beard, in [0, 1]: 1 where none is to be seen any more. [n, 3, S, S] each."""
        had, has = self.amount(before), self.amount(after)
        return _step(_between(1 - has / had.clamp_min(LITTLE), LOST))

    def shaven(self, textures: Tensor) -> Tensor:
        """What takes the rest of a beard from textures [n, 3, S, S]: [n, 3, SIZE, SIZE], to be added where it grew.

        The cheeks' skin is continued over the place, in the shading that the mean face has there (a quotient image,
        Shashua and Riklin-Raviv 2001).
        """
        small, mean = _small(textures), self.mean.to(textures)
        known = ((1 - self.covered).clamp(min=0) * self.window).square().to(small)[None, None] * 0.999 + 1e-4
        continued, usual = (spread(x, known.expand(len(x), -1, -1, -1)) for x in (tints(small), tints(mean)))
        return untinted(continued + tints(mean) - usual) - small

    def gone(self, textures: Tensor, tone: Tensor, share: Tensor) -> Beard:
        """The beard of a photograph that is not of the face that is put into it.

        textures: the faces', [n, 3, S, S]. tone: of the photograph's own, coarsely, [n, 3, T, T]. share: how surely
        that has a beard, [n].
        """
        grown = resize((self.grown * self.window).to(tone)[None, None], TONES)
        has, had = (resize(self._dark(x), TONES) for x in (textures, tone))
        known = F.pad(grown.square(), [MARGIN] * 4).clamp_min(1e-6).expand(len(tone), -1, -1, -1)
        has, had = (spread(F.pad(x, [MARGIN] * 4), known) for x in (has, had))
        missing = _between(1 - has / had.clamp_min(LITTLE), GONE).clamp(0, 1) * _step(_between(had, DARK))
        places = missing * share[:, None, None, None] * self.around.to(tone)
        return Beard(torch.cat([places, had, self.neck.to(tone).expand_as(had)], 1), self.skin_light(tone))


def _small(textures: Tensor) -> Tensor:
    return F.interpolate(textures, size=(SIZE, SIZE), mode="bilinear", antialias=textures.shape[-1] > SIZE)


def _hull(points: Tensor) -> Tensor:
    """1 within the outline [m, 2], smoothly 0 outside: float64 [SIZE, SIZE]."""
    mask = Image.new("L", (SIZE, SIZE))
    ImageDraw.Draw(mask).polygon([(x * SIZE, y * SIZE) for x, y in points.tolist()], fill=255)
    blurred = np.asarray(mask.filter(ImageFilter.GaussianBlur(0.012 * SIZE)), dtype=np.float64)
    return torch.from_numpy((blurred / 127.5).clip(0, 1))


def _within(at: Tensor, points: Tensor, reach: float) -> Tensor:
    """1 inside of the points' hull or near to them, smoothly 0 beyond."""
    distance = torch.cdist(at.reshape(-1, 2), points.double()).amin(1).view(at.shape[:2])
    return torch.sigmoid((reach - distance) / 0.006)


def _step(values: Tensor) -> Tensor:
    t = values.clamp(0, 1)
    return t.square() * (3 - 2 * t)


def _around(points: Tensor) -> tuple[Tensor, Tensor]:
    """Where the beard of a face in the frame may reach, below the ears and near the outline; and where its neck is.

    Two float32 [EXTENT, EXTENT], in [0, 1].
    """
    at = (geometry.pixel_centres(EXTENT) * EXTENT - MARGIN) / TONES
    steps = torch.linspace(0, 1, 8, dtype=torch.float64)[:-1, None, None]
    jaw = points[:17].double()
    line = torch.lerp(jaw[:-1], jaw[1:], steps).reshape(-1, 2)
    distance = torch.cdist(at.reshape(-1, 2), line).amin(1).view(at.shape[:2])
    half = (points[12, 0] - points[4, 0]) / 2
    neck = torch.sigmoid((half - (at[..., 0] - points[8, 0]).abs()) / SOFT)
    neck = neck * torch.sigmoid((at[..., 1] - points[4, 1]) / SOFT)
    aside, below = (torch.sigmoid((reach - distance) / SOFT) for reach in (ASIDE, BELOW))
    near = torch.maximum(aside * torch.sigmoid((at[..., 1] - points[1, 1]) / SOFT), below * neck)
    return near.float(), neck.float()


def _between(values: Tensor, ends: tuple[float, float]) -> Tensor:
    """0 at the first end, 1 at the second."""
    return (values - ends[0]) / (ends[1] - ends[0])
