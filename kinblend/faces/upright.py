"""Faces in pictures that lie on their side, stand on their head, or anything between.

A detector for upright faces finds something in turned ones too, and puts the eyes where the mouth is. So the picture
is shown to it in eight turns. Each turn in which it sees a face is a vote for which way is up, that turn and the
tilt of the eyes' line together: votes for the truth agree, the others don't.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kinblend.face_interfaces import Detection
from kinblend.faces.view import View, roll_of, upright_box, view

if TYPE_CHECKING:
    from PIL.Image import Image

SURE = 0.9995  # probability from which an upright face is one: of 287 that were none the highest had 0.99943
STRAIGHT = 25.0  # degrees of tilt that detectors and landmarkers take
TURNS = tuple(range(0, 360, 45))
NEAR = 30.0  # degrees within which two votes agree
AROUND = 1.0  # of a face's box, on each side, that is looked at
FACE_SIDE, PICTURE_SIDES = 200, (320, 640)  # px of what is shown in eight turns: around a face, or of the picture
LEAST_VOTES = 2
MOST_LOGIT = 12.0
STRONG = 16.0  # sum of log odds; faces had 18 to 30, what is none 13 at most

Detect = Callable[[Sequence["Image"]], list[list[Detection]]]
Find = Callable[["Image"], list[Detection]]


@dataclass(frozen=True)
class _Vote:
    """turn: which would make the face upright, degrees counter-clockwise. weight: log odds of the detector.
    place: the middle of the face in the picture, size: its height, both in pixels."""

    turn: float
    weight: float
    place: tuple[float, float]
    size: float


def faces_any_way_up(image: Image, faces: list[Detection], find: Find, detect: Detect) -> list[Detection]:
    """The faces of a picture, whichever way it is turned.

    faces: those that the detector finds in the picture as it is. find: looks for faces of all sizes in an upright
    picture. detect: looks for them in pictures of one size. Boxes lie around the faces as they are in the picture;
    points 0 and 1 are the eyes at the person's right and left.
    """
    largest = max(faces, key=lambda face: face.area, default=None)
    if largest is not None and largest.probability >= SURE and abs(roll_of(largest.points)) <= STRAIGHT:
        return faces
    turn = _upright_turn(image, largest, detect)
    if turn is None or abs(turn) <= STRAIGHT:
        return faces
    found = _find_turned(image, turn, find)
    return found or faces


def _find_turned(image: Image, turn: float, find: Find) -> list[Detection]:
    whole = view(image, turn)
    return [_put_back(face, whole) for face in find(whole.image)]


def _put_back(face: Detection, seen: View) -> Detection:
    """A face of a view, in pixels of the picture."""
    import numpy as np

    points = seen.back(face.points)
    left, top, right, bottom = face.box
    [[x, y]] = seen.back(np.array([[(left + right) / 2, (top + bottom) / 2]]))
    across, down = face.width / 2 / seen.scale, face.height / 2 / seen.scale
    box = float(x - across), float(y - down), float(x + across), float(y + down)
    return replace(face, box=upright_box(box, roll_of(points)), points=points)


def _upright_turn(image: Image, face: Detection | None, detect: Detect) -> float | None:
    """Degrees counter-clockwise, in (−180, 180], that make the face upright; None where it can't be told."""
    best: tuple[float | None, float] = None, 0.0
    if face is not None:
        best = _elect(_votes(_around(image, face), detect))
    for side in PICTURE_SIDES:
        if best[1] >= STRONG:
            break
        best = max(best, _elect(_votes([view(image, turn, side=side) for turn in TURNS], detect)), key=_weight)
        if side >= max(image.size):
            break
    return best[0]


def _weight(elected: tuple[float | None, float]) -> float:
    return elected[1]


def _around(image: Image, face: Detection) -> list[View]:
    left, top, right, bottom = face.box
    reach = max(face.width, face.height) * (0.5 + AROUND)
    x, y = (left + right) / 2, (top + bottom) / 2
    box = (x - reach, y - reach, x + reach, y + reach)
    return [view(image, turn, box, FACE_SIDE) for turn in TURNS]


def _votes(views: Sequence[View], detect: Detect) -> list[_Vote]:
    import numpy as np

    places: dict[tuple[int, int], list[int]] = {}
    for place, seen in enumerate(views):
        places.setdefault(seen.image.size, []).append(place)
    votes = []
    for same in places.values():
        for place, faces in zip(same, detect([views[place].image for place in same]), strict=True):
            if not faces:
                continue
            face, seen = max(faces, key=lambda face: face.area), views[place]
            odds = np.log(max(face.probability, 1e-9) / max(1 - face.probability, np.exp(-MOST_LOGIT)))
            put = _put_back(face, seen)
            middle = (put.box[0] + put.box[2]) / 2, (put.box[1] + put.box[3]) / 2
            votes.append(_Vote(seen.turn + roll_of(face.points), float(odds), middle, face.height / seen.scale))
    return votes


def _elect(votes: Sequence[_Vote]) -> tuple[float | None, float]:
    """The turn that has the weightiest votes for about the same turn and place, in (−180, 180], and their weight; no
    turn where no two agree."""
    import numpy as np

    if not votes:
        return None, 0.0
    turns, weights = np.array([vote.turn for vote in votes]), np.array([vote.weight for vote in votes])
    places, sizes = np.array([vote.place for vote in votes]), np.array([vote.size for vote in votes])
    apart = (turns[:, None] - turns[None] + 180) % 360 - 180
    away = np.hypot(*np.moveaxis(places[:, None] - places[None], 2, 0))
    near = (np.abs(apart) <= NEAR) & (away <= 0.5 * np.minimum(sizes[:, None], sizes[None]))
    sums = (near * weights[None]).sum(1)
    best = int(sums.argmax())
    if near[best].sum() < LEAST_VOTES:
        return None, 0.0
    # Votes of copies in which the face is nearly upright have the most weight.
    share = near[best] * weights**2
    middle = turns[best] - float((apart[best] * share).sum() / share.sum())
    return float((middle + 180) % 360 - 180), float(sums[best])
