"""How good a photograph of a face is: what `child.json` keeps of it, and what one is warned of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from kinblend.errors import FaceCutOffError
from kinblend.faces.alignment import align, face_square
from kinblend.faces.covered import see_covers
from kinblend.faces.head_pose import fit_head

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

SURE = 0.5  # from which something is said to be so
SIDE = 256  # px of the crop that is measured: what encoders take
SMALL = 256.0  # px of the face's square, from which enlarging gives nothing more
MOST_OUTSIDE = 7  # of 68 landmarks: with so many beyond the edge children were fine, with 38 and more broken
INNER = slice(17, 68)  # brows, eyes, nose and mouth
MOST_INNER_OUTSIDE = 3
MOST_OF_BOX = 0.33
TURNED = 25.0  # degrees to the side from which one is warned; `find_face` refuses at 35
TILTED = 25.0  # degrees up or down
BEYOND = 0.2
GRID = 32  # points in a row, in which the square is looked at
DARK = 0.16  # of white, the brightest twentieth of the face
BLURRED = 0.22
OPEN = 0.3  # of the distance between the eyes, the gap between the lips


@dataclass(frozen=True)
class FaceQuality:
    """How a face lies in its photograph, and what may spoil a child of it.

    Args:
        yaw, pitch, roll: degrees the head is turned: towards the picture's right, upwards, clockwise.
        size: side of the face's square in pixels of the photograph; the square is what `align` cuts out.
        sharpness: in [0, 1], 1 minus the blur metric of Crete et al. 2007, of a crop of 256 px.
        brightness: of the brightest twentieth of the face, in [0, 1].
        outside: how many of the 68 landmarks, and of the forehead's points, lie beyond the photograph's edge.
        beyond: share of the face's square that does.
        occlusion: what is covered, of "eyes", "nose", "mouth" and "chin", and how sure that is, in [0, 1]; all four.
        eyes_closed, tongue_out: how sure that is, in [0, 1].
        mouth_open: the gap between the lips, of the distance between the eyes.
        enlarged: how many times an upscaler made the face larger before it was encoded.

    Example:
        >>> FaceQuality(yaw=30, pitch=0, roll=0, size=400, sharpness=0.6, brightness=0.7).warnings[0]
        'the head is turned about 30° to the side: use a picture in which it faces the camera'
    """

    yaw: float
    pitch: float
    roll: float
    size: float
    sharpness: float
    brightness: float
    outside: int = 0
    beyond: float = 0.0
    occlusion: Mapping[str, float] = field(default_factory=dict)
    eyes_closed: float = 0.0
    tongue_out: float = 0.0
    mouth_open: float = 0.0
    enlarged: float = 1.0

    @property
    def covered(self) -> tuple[str, ...]:
        """What of the face something covers."""
        return tuple(part for part, sure in self.occlusion.items() if sure >= SURE)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may spoil a child of this face, a line each, that says what to do."""
        found = []
        if self.covered:
            sure = max(self.occlusion[part] for part in self.covered)
            found.append(
                f"something covers the {_listed(self.covered)} ({sure:.0%} sure), and the child would get it as its "
                "own: use a picture in which nothing hides the face"
            )
        if self.eyes_closed >= SURE:
            found.append("the eyes are closed: use a picture in which they are open")
        if self.tongue_out >= SURE:
            found.append("the tongue is out: use a picture with a calm face")
        elif self.mouth_open >= OPEN:
            found.append("the mouth is wide open: use a picture with a calm face")
        if abs(self.yaw) >= TURNED:
            found.append(
                f"the head is turned about {abs(self.yaw):.0f}° to the side: use a picture in which it faces the "
                "camera"
            )
        if abs(self.pitch) >= TILTED:
            way = "up" if self.pitch > 0 else "down"
            found.append(f"the head looks {abs(self.pitch):.0f}° {way}: use a picture in which it faces the camera")
        if self.outside or self.beyond >= BEYOND:
            found.append("a part of the head lies beyond the picture's edge: use a picture that shows all of it")
        if self.brightness < DARK:
            found.append("the face is very dark: use a picture with more light")
        if self.is_small:
            found.append(
                f"the face is {self.size:.0f} pixels large, {SMALL:.0f} are good: use a larger picture, or have it "
                "enlarged by an upscaler"
            )
        elif self.size >= SMALL and self.sharpness < BLURRED:
            found.append("the face is blurred: use a sharper picture")
        return tuple(found)

    @property
    def is_small(self) -> bool:
        """Whether an upscaler would give the encoder more to see."""
        return self.size * self.enlarged < SMALL

    def record(self) -> dict[str, Any]:
        """As JSON has it, figures rounded, warnings included."""
        values = {name: _rounded(value) for name, value in asdict(self).items()}
        return values | {"warnings": list(self.warnings)}


def measure_quality(
    image: Image, landmarks: NDArray[Any], size: tuple[int, int] | None = None, crop: Image | None = None
) -> FaceQuality:
    """The quality of the face with these landmarks, float [68, 2] in pixels of the RGB picture.

    size: how large the photograph is, where `image` is the part of it that begins in its upper left corner.
    crop: the face as `align` cuts it at `SIDE` pixels; None: it is cut out here. Raises `FaceError`.
    """
    crop = align(image, landmarks, SIDE) if crop is None else crop
    square, head = face_square(landmarks), fit_head(landmarks)
    points = square.into_crop(landmarks, SIDE)
    covers = see_covers(crop, points)
    return FaceQuality(
        head.yaw,
        head.pitch,
        head.roll,
        square.side,
        sharpness(crop),
        _brightness(crop, points),
        count_outside(landmarks, size or image.size),
        beyond_edge(landmarks, size or image.size),
        covers.occlusion,
        covers.eyes_closed,
        covers.tongue_out,
        _gap(points),
    )


def check_whole(
    landmarks: NDArray[Any], box: Sequence[float], size: tuple[int, int], name: str = "the picture"
) -> None:
    """Raise `FaceCutOffError` where much of a face lies outside a picture of this width and height.

    landmarks: float [68, 2]. box: the detector's, left, top, right, bottom. Both in pixels. Landmarkers that know
    whole faces only squeeze half a one into the picture, while the box reaches beyond.
    """
    import numpy as np

    away = _is_outside(landmarks, size)
    beyond = 1 - _inside(box, size)
    if away.sum() > MOST_OUTSIDE or np.sum(away[INNER]) > MOST_INNER_OUTSIDE or beyond > MOST_OF_BOX:
        raise FaceCutOffError(
            f"the face in {name} is cut off by the picture's edge: {away.sum()} of its 68 landmarks and {beyond:.0%} "
            "of its area lie outside. Use a picture that shows the whole face"
        )


def _inside(box: Sequence[float], size: tuple[int, int]) -> float:
    """The share of a box that lies in the picture."""
    left, top, right, bottom = box
    across = max(0.0, min(right, size[0]) - max(left, 0))
    down = max(0.0, min(bottom, size[1]) - max(top, 0))
    return across * down / max((right - left) * (bottom - top), 1e-9)


def count_outside(landmarks: NDArray[Any], size: tuple[int, int]) -> int:
    """How many landmarks lie outside a picture of this width and height; four of the forehead's count as well."""
    import numpy as np

    # The forehead is about as high as the nose is long, brows to base.
    forehead = landmarks[[19, 21, 22, 24]] - 0.9 * (landmarks[33] - landmarks[[21, 22]].mean(axis=0))
    return int(_is_outside(np.concatenate([landmarks, forehead]), size).sum())


def beyond_edge(landmarks: NDArray[Any], size: tuple[int, int]) -> float:
    """Which share of a face's square lies outside a picture of this width and height. landmarks: float [68, 2]."""
    import numpy as np

    square = face_square(landmarks)
    steps = (np.arange(GRID) + 0.5) / GRID * 2 - 1
    x, y = np.meshgrid(steps, steps)
    points = square.centre + x.reshape(-1, 1) * square.half + y.reshape(-1, 1) * square.down
    return float(_is_outside(points, size).mean())


def _is_outside(landmarks: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    import numpy as np

    outside: NDArray[Any] = np.any((landmarks < -0.5) | (landmarks > np.array(size) - 0.5), axis=1)
    return outside


def sharpness(crop: Image) -> float:
    """1 minus the blur metric (Crete, Dolmiere, Ladret & Nicolas 2007, "The Blur Effect") of a crop's middle.

    How much of the differences between neighbours a blur takes away, in [0, 1].
    """
    import numpy as np

    grey = np.asarray(crop.convert("L"), dtype=np.float64)
    height, width = grey.shape
    grey = grey[height // 4 : height * 7 // 8, width // 5 : width * 4 // 5]
    shares = []
    for axis in (0, 1):
        blurred = np.apply_along_axis(lambda line: np.convolve(line, np.ones(9) / 9, "same"), axis, grey)
        before, after = np.abs(np.diff(grey, axis=axis)), np.abs(np.diff(blurred, axis=axis))
        inside = (slice(8, -8), slice(8, -8))
        total = float(before[inside].sum())
        lost = float(np.maximum(before - after, 0)[inside].sum())
        shares.append(lost / total if total else 0.0)
    return min(shares)


def _brightness(crop: Image, points: NDArray[Any]) -> float:
    import numpy as np

    low, high = points.min(axis=0).astype(int), points.max(axis=0).astype(int) + 1
    grey = np.asarray(crop.convert("L"))[max(low[1], 0) : high[1], max(low[0], 0) : high[0]]
    return float(np.quantile(grey, 0.95)) / 255 if grey.size else 0.0


def _gap(points: NDArray[Any]) -> float:
    """Between the lips, of the distance between the eyes."""
    import numpy as np

    eyes = float(np.hypot(*(points[36:42].mean(0) - points[42:48].mean(0))))
    return float(np.hypot(*(points[[61, 62, 63]].mean(0) - points[[67, 66, 65]].mean(0)))) / max(eyes, 1e-6)


def _listed(parts: tuple[str, ...]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value
