"""FFHQ's alignment (Karras, Laine & Aila 2019, "A Style-Based Generator Architecture for GANs", appendix C),
with the constants that encoder4editing prepares its inputs with: a 256-pixel transform, a border blur of 0.02."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinblend.errors import FaceError
from kinblend.imaging import to_picture
from kinblend.types import AlignedFace

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

BLUR = 0.02  # standard deviation of the border's blur, of the square's side
COARSE = 6  # pixels of a blur's deviation in the copy that it is made on
SOFT = 0.3  # least width of a reflected border, of the square's side
SAMPLE = 512  # pixels along the square's side from which the median is taken
ROWS = 32  # of a picture that are blurred at a time
MARGIN = 3  # pixels around the square that bilinear sampling may look at

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels and parts of them


def align(
    image: Image | NDArray[Any], landmarks: NDArray[Any], size: int = 256, *, transform_size: int | None = None
) -> Image:
    """Cut a face out of a picture in FFHQ geometry: a square uint8 RGB picture of `size` pixels.

    image: a PIL picture, or a uint8 array [H, W, 3].
    landmarks: float [68, 2] (x, y) in pixels of `image`, or the detector's five [5, 2].
    transform_size: side of the first, oriented cut, reduced to `size` afterwards; None cuts at `size`, as
        encoder4editing does. FFHQ itself was cut at 4096 for 1024.

    Raises `FaceError` when the landmarks span no face.
    """
    [face] = align_many(to_picture(image), landmarks, [size], transform_size=transform_size)
    return face


def align_many(
    image: Image, landmarks: NDArray[Any], sizes: Sequence[int], *, transform_size: int | None = None
) -> list[Image]:
    """As `align`, a crop for each of several sizes: what lies around the face is made once for all that share it."""
    from PIL import Image as pil

    image, square = image.convert("RGB"), face_square(landmarks)
    around: dict[int, tuple[Image, NDArray[Any]]] = {}
    crops = []
    for size in sizes:
        factor = _reduction(square.side, size)
        if factor not in around:
            around[factor] = _surroundings(image, square, factor)
        picture, corners = around[factor]
        cut = transform_size or size
        data = [float(value) for value in (corners + 0.5).flatten()]
        face = picture.transform((cut, cut), pil.Transform.QUAD, data, pil.Resampling.BILINEAR)
        crops.append(face.resize((size, size), pil.Resampling.LANCZOS) if cut > size else face)
    return crops


def align_with_landmarks(image: Image, landmarks: NDArray[Any], size: int = 256) -> AlignedFace:
    """As `align`, together with the landmarks in pixels of the crop, float64 [68, 2]."""
    return AlignedFace(align(image, landmarks, size), face_square(landmarks).into_crop(landmarks, size))


@dataclass(frozen=True)
class Square:
    """An oriented square in a picture: its centre and half its upper edge, float64 [2] each."""

    centre: NDArray[Any]
    half: NDArray[Any]

    @property
    def down(self) -> NDArray[Any]:
        """Half its left edge."""
        import numpy as np

        return np.array([-self.half[1], self.half[0]])

    @property
    def side(self) -> float:
        import numpy as np

        return float(np.hypot(*self.half)) * 2

    def corners(self) -> NDArray[Any]:
        """Upper left, lower left, lower right, upper right: float64 [4, 2]."""
        import numpy as np

        c, x, y = self.centre, self.half, self.down
        return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])

    def into_crop(self, points: NDArray[Any], size: int) -> NDArray[Any]:
        """Points of the picture → pixels of the crop of `size` pixels, float64 [n, 2]."""
        import numpy as np

        axes = np.stack([self.half, self.down], axis=1) / float(self.half @ self.half)
        shares = (np.asarray(points, dtype=np.float64) - self.centre) @ axes  # in [−1, 1] inside the square
        inside: NDArray[Any] = (shares + 1) / 2 * size - 0.5
        return inside


def face_square(landmarks: NDArray[Any]) -> Square:
    """The oriented square FFHQ cuts out, from the eyes and the mouth's corners.

    landmarks: float [68, 2], or [5, 2]: both eyes, the nose tip, the mouth's corners. Raises `FaceError`.
    """
    import numpy as np

    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape not in ((68, 2), (5, 2)) or not np.isfinite(points).all():
        raise FaceError(f"alignment needs 68 or 5 finite landmarks [68, 2], not {list(points.shape)}")
    if len(points) == 5:
        left, right, mouth = points[0], points[1], (points[3] + points[4]) * 0.5
    else:
        left, right, mouth = points[36:42].mean(axis=0), points[42:48].mean(axis=0), (points[48] + points[54]) * 0.5
    eyes = (left + right) * 0.5
    between, fall = right - left, mouth - eyes
    along = between + np.array([fall[1], -fall[0]])  # the eyes' line, steadied by the fall to the mouth
    length = np.hypot(*along)
    if length < 1e-6:
        raise FaceError("the landmarks span no face; choose another picture")
    half = along / length * max(np.hypot(*between) * 2.0, np.hypot(*fall) * 1.8)
    return Square(eyes + fall * 0.1, half)


def _reduction(side: float, size: int) -> int:
    """How many times smaller the picture is made first: at least twice where the square has four times the crop's
    side."""
    return max(1, int(side / size * 0.5))


def _surroundings(image: Image, square: Square, factor: int) -> tuple[Image, NDArray[Any]]:
    """The part of an RGB picture that the square covers, so many times smaller; the square's corners in it."""
    from PIL import Image as pil

    corners, side = square.corners() / factor, square.side / factor
    if factor > 1:
        smaller = (max(1, round(image.width / factor)), max(1, round(image.height / factor)))
        image = image.resize(smaller, pil.Resampling.LANCZOS)
    image, corners = _crop(image, corners, side)
    return _extend(image, corners, side)


def _bounds(corners: NDArray[Any]) -> tuple[int, int, int, int]:
    import numpy as np

    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _border(side: float) -> int:
    return max(round(side * 0.1), 3)


def _crop(image: Image, corners: NDArray[Any], side: float) -> tuple[Image, NDArray[Any]]:
    """Leave away what lies farther from the square than the border."""
    import numpy as np

    left, top, right, bottom = _bounds(corners)
    border = _border(side)
    box = (
        max(left - border, 0),
        max(top - border, 0),
        min(right + border, image.width),
        min(bottom + border, image.height),
    )
    if box[0] >= box[2] or box[1] >= box[3]:
        raise FaceError("the landmarks lie outside the picture; find the face again in this very picture")
    if box == (0, 0, image.width, image.height):
        return image, corners
    return image.crop(box), corners - np.array(box[:2])


def _extend(image: Image, corners: NDArray[Any], side: float) -> tuple[Image, NDArray[Any]]:
    """Where the square reaches over the picture's edge: reflect it there, blurred and faded to its median."""
    import numpy as np
    from PIL import Image as pil

    left, top, right, bottom = _bounds(corners)
    border = _border(side)
    needed = (
        max(-left + border, 0),
        max(-top + border, 0),
        max(right - image.width + border, 0),
        max(bottom - image.height + border, 0),
    )
    if max(needed) <= border - 4:
        return image, corners
    least = round(side * SOFT)
    pads = left, top, right, bottom = tuple(max(pad, least) for pad in needed)
    pixels = np.pad(np.asarray(image), ((top, bottom), (left, right), (0, 0)), "reflect")
    corners = corners + np.array([left, top])
    height, width = pixels.shape[:2]
    padded = _Padded(pixels, *_gaussian(pixels, side * BLUR), pads)
    # Every pass over all of a large picture takes long: only what the square covers is made, and a sample.
    sample, _ = padded.softened((0, 0, width, height), max(1, round(side / SAMPLE)))
    low_x, low_y, high_x, high_y = _bounds(corners)
    box = max(low_x - MARGIN, 0), max(low_y - MARGIN, 0), min(high_x + MARGIN, width), min(high_y + MARGIN, height)
    part, outside = padded.softened(box)
    part += (np.median(sample, axis=(0, 1)) - part) * np.clip(outside, 0, 1)
    return pil.fromarray(np.clip(np.rint(part), 0, 255).astype(np.uint8)), corners - np.array(box[:2])


@dataclass(frozen=True)
class _Padded:
    """A picture with reflected borders.

    pixels: uint8 [H, W, 3]. soft, shrunk: the same blurred, float32, and how many times smaller. pads: how wide the
    borders are: left, top, right, bottom.
    """

    pixels: NDArray[Any]
    soft: NDArray[Any]
    shrunk: int
    pads: Sequence[int]

    def softened(self, box: tuple[int, int, int, int], step: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
        """A box (left, top, right, bottom), every `step`-th pixel of it, blurred where it is border: float32
        [h, w, 3]. And how far outside each pixel is [h, w, 1]: 1 at the new edge, 0 where the picture begins,
        negative inside it.
        """
        import numpy as np

        height, width = self.pixels.shape[:2]
        left, top, right, bottom = self.pads
        x = np.arange(box[0], box[2], step, dtype=np.float32)[None, :, None]
        y = np.arange(box[1], box[3], step, dtype=np.float32)[:, None, None]
        outside = np.maximum(
            1 - np.minimum(x / left, (width - 1 - x) / right),
            1 - np.minimum(y / top, (height - 1 - y) / bottom),
        )
        part = self.pixels[box[1] : box[3] : step, box[0] : box[2] : step].astype(np.float32)
        low_x, low_y, high_x, high_y = (edge / self.shrunk for edge in box)
        blurred = _enlarged(self.soft, part.shape[1], part.shape[0], (low_x, low_y, high_x, high_y))
        part += (blurred - part) * np.clip(outside * 3 + 1, 0, 1)
        return part, outside


def _gaussian(pixels: NDArray[Any], deviation: float) -> tuple[NDArray[Any], int]:
    """Gaussian blur of uint8 [H, W, 3] over H and W, cut at four deviations, edges mirrored: float32.

    A wide one is made smaller, nothing finer is left of it anyway; and how many times smaller it is.
    """
    import numpy as np
    from PIL import Image as pil

    step = max(1, int(deviation / COARSE))
    if step > 1:
        pixels = np.asarray(pil.fromarray(pixels).reduce(step))
        # Making smaller and larger blurs, too: by a box and by a triangle, whose variances are step²/12 and step²/6.
        deviation = float(np.sqrt((deviation / step) ** 2 - 1 / 4))
    pixels = pixels.astype(np.float32)
    radius = int(4 * deviation + 0.5)
    if radius == 0:
        return pixels, step
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        around = [(radius, radius) if each == axis else (0, 0) for each in range(3)]
        pixels = _correlated(np.pad(pixels, around, "symmetric"), weights, axis)
    return pixels, step


def _correlated(padded: NDArray[Any], weights: NDArray[Any], axis: int) -> NDArray[Any]:
    """Each pixel of float32 [H, W, 3] becomes the weighted sum of itself and those that follow it along an axis.

    Some rows at a time: they stay in the processor's cache, which takes a third of the time.
    """
    import numpy as np

    taps = len(weights) - 1
    height, width = padded.shape[0] - taps * (axis == 0), padded.shape[1] - taps * (axis == 1)
    out = np.zeros((height, width, 3), dtype=np.float32)
    product = np.empty((ROWS, width, 3), dtype=np.float32)
    for top in range(0, height, ROWS):
        rows = out[top : top + ROWS]
        for place, weight in enumerate(weights):
            y, x = (top + place, 0) if axis == 0 else (top, place)
            shifted = padded[y : y + len(rows), x : x + width]
            rows += np.multiply(shifted, weight, out=product[: len(rows)])
    return out


def _enlarged(pixels: NDArray[Any], width: int, height: int, box: Box) -> NDArray[Any]:
    """A box of float32 [H, W, 3] (left, top, right, bottom, parts of pixels too) at another size, straight lines
    between the pixels."""
    import numpy as np
    from PIL import Image as pil

    out = np.empty((height, width, 3), dtype=np.float32)
    for channel in range(3):
        plane = pil.fromarray(np.ascontiguousarray(pixels[..., channel]))
        out[..., channel] = np.asarray(plane.resize((width, height), pil.Resampling.BILINEAR, box=box))
    return out
