"""Faces under known rotations: a portrait is laid over a head of simple shapes and rendered from another side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kinblend.faces import find_face

SIDE = 384  # of the pictures, in pixels
FINE = 2  # points for each of them, across and down


class Head:
    """A portrait with a depth for each pixel: an ellipsoid for the head, a ridge and a tip for the nose.

    The sizes are in units of the distance between the pupils (about 63 mm) and have nothing to do with the model that
    poses are measured with.
    """

    def __init__(self, portrait: Image.Image) -> None:
        self.picture = portrait.convert("RGB").resize((SIDE, SIDE))
        points = find_face(self.picture).landmarks
        left, right = points[36:42].mean(0), points[42:48].mean(0)
        self.unit = float(np.hypot(*(right - left)))
        self.centre = (left + right) / 2
        self.nose = points[30]
        depth = Image.fromarray(self._depth().astype(np.float32)).resize((SIDE * FINE, SIDE * FINE))
        y, x = np.mgrid[0 : SIDE * FINE, 0 : SIDE * FINE] / FINE
        points = np.stack([x, y, -np.asarray(depth, dtype=float)], -1).reshape(-1, 3)
        self.pivot = np.array([*self.centre, -0.5 * self.unit], dtype=np.float32)
        self.points = points.astype(np.float32) - self.pivot  # of the head, each with its colour
        self.colours = np.asarray(self.picture.resize((SIDE * FINE, SIDE * FINE))).reshape(-1, 3)

    def _depth(self) -> NDArray[Any]:
        """Pixels towards the camera, from the plane through the middle of the head."""
        y, x = np.mgrid[0:SIDE, 0:SIDE].astype(float)
        across, down = (x - self.centre[0]) / self.unit, (y - self.centre[1]) / self.unit
        inside = 1 - (across / 1.35) ** 2 - ((down - 0.35) / 1.95) ** 2
        head = 1.5 * np.sqrt(np.clip(inside, 0, 1))
        tip = (self.nose - self.centre) / self.unit
        along = np.clip(down / tip[1], 0, 1.15)  # 0 between the eyes, 1 at the tip
        ridge = 0.42 * along * np.exp(-((across / (0.10 + 0.10 * along)) ** 2))
        below = np.where(down > tip[1], np.exp(-(((down - tip[1]) / 0.12) ** 2)), 1.0)
        sockets = sum(np.exp(-(((across - s) / 0.22) ** 2) - (down / 0.14) ** 2) for s in (-0.5, 0.5))
        return self.unit * (head + ridge * below - 0.10 * sockets)

    def turned(self, yaw: float, pitch: float, roll: float) -> Image.Image:
        """The head in degrees: to the picture's right, upwards, clockwise; seen from far away."""
        return _seen(self.points @ rotation(yaw, pitch, roll).T.astype(np.float32) + self.pivot, self.colours)


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[Any]:
    """By yaw, then pitch, then roll, for x to the right, y down and z away from the camera."""
    (a, b, c) = np.radians([-yaw, -pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def _seen(points: NDArray[Any], colours: NDArray[Any]) -> Image.Image:
    """What is nearest at each pixel; gaps take the colour around them."""
    x, y = np.rint(points[:, :2]).astype(np.int32).T
    inside = np.flatnonzero((x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE))
    order = inside[np.argsort(-points[inside, 2], kind="stable")]
    picture = np.full((SIDE, SIDE, 3), 128, dtype=np.float32)
    known = np.zeros((SIDE, SIDE), dtype=bool)
    picture[y[order], x[order]] = colours[order]
    known[y[order], x[order]] = True
    for _ in range(3):
        down, across = np.nonzero(~known)
        around = [((down - y) % SIDE, (across - x) % SIDE) for y, x in ((0, 1), (0, -1), (1, 0), (-1, 0))]
        count = sum(known[place].astype(int) for place in around)
        total = sum(picture[place] * known[place][:, None] for place in around)
        gaps = count >= 2
        picture[down[gaps], across[gaps]] = total[gaps] / count[gaps, None]
        known[down[gaps], across[gaps]] = True
    return Image.fromarray(picture.astype(np.uint8))
