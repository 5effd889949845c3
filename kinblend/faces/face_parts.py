"""The parts of a face that a child may have from one parent, told from 68 landmarks (iBUG 300-W).

They are for mixing pictures: each reaches a little beyond its outline, and what belongs together comes along, such as
the forehead with the hair that falls on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.faces.face_regions import filled

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = ("eyes", "brows", "nose", "mouth", "jaw", "hair")
COLOURED = ("eyes", "mouth")  # parts with a colour of their own, told apart from the skin around them
# How far round its outline a part goes, in distances between the eyes.
_REACH = {"eyes": 0.10, "brows": 0.08, "nose": 0.08, "mouth": 0.06, "jaw": 0.0}
_FOREHEAD = 0.8  # distances between the eyes that the forehead reaches above the brows
_CHIN = 0.94  # of the jaw's outline: what is beyond, such as hair beside it, is not the jaw's
_BARE = 0.15  # distances between the eyes above the brows, from where on skin goes with the hair


def part_masks(points: NDArray[Any], side: int) -> dict[str, NDArray[np.bool_]]:
    """Where the parts are in a square picture: bool [side, side] for each of `PARTS`; no two overlap.

    points: float [68, 2] (x, y), the face's landmarks in pixels of that picture.
    """
    apart = _apart(points)

    def around(name: str, *outlines: NDArray[Any]) -> NDArray[np.bool_]:
        found = np.zeros((side, side), bool)
        for outline in outlines:
            found |= filled(outline, (side, side), _REACH[name] * apart)
        return found

    eyes = around("eyes", points[36:42], points[42:48])
    brows = around("brows", points[17:22], points[22:27]) & ~eyes
    nose = around("nose", points[[27, 31, 32, 33, 34, 35]]) & ~eyes
    mouth = around("mouth", points[48:60]) & ~nose
    row = np.arange(side)[:, None]
    middle = points[3:14].mean(axis=0)
    jaw = around("jaw", middle + _CHIN * (points[3:14] - middle)) & (row > points[33, 1]) & ~nose & ~mouth
    hair = ~_face(points, side, apart, _FOREHEAD) & (row < points[[4, 12], 1].mean())
    hair |= _face(points, side, apart, _FOREHEAD) & ~_face(points, side, apart, _BARE) & ~brows & ~eyes
    return {"eyes": eyes, "brows": brows, "nose": nose, "mouth": mouth, "jaw": jaw, "hair": hair}


def colour_masks(points: NDArray[Any], side: int) -> dict[str, NDArray[np.bool_]]:
    """What of the parts has a colour of its own, bool [side, side] for each of `COLOURED`: what the lids leave of the
    eyes, and the lips. points: as `part_masks` takes them."""
    outlines = {"eyes": (points[36:42], points[42:48]), "mouth": (points[48:60],)}
    return {name: np.any([filled(one, (side, side), 0) for one in outlines[name]], axis=0) for name in COLOURED}


def _face(points: NDArray[Any], side: int, apart: float, forehead: float) -> NDArray[np.bool_]:
    """The outline of the face, so many distances between the eyes above the brows."""
    upward = np.array([0.0, forehead * apart])
    return filled(np.concatenate([points[:17], points[26:16:-1] - upward]), (side, side), 0)


def _apart(points: NDArray[Any]) -> float:
    """The distance between the eyes, in pixels."""
    return float(np.hypot(*(points[42:48].mean(axis=0) - points[36:42].mean(axis=0))))
