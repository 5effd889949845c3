"""One small face enlarged by every upscaler, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinblend.errors import FaceError, ModelError, UsageError
from kinblend.faces.select import choose_face, faces_in
from kinblend.faces.upscale import enlarge_face
from kinblend.plugins import load_plugins

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 512  # px of a face's square; what is larger needs no enlarging, and takes networks minutes
SIDE = 512  # px of a panel, at most


@dataclass(frozen=True)
class Upscaled:
    """A face with its surroundings, enlarged.

    pictures: RGB, by the upscaler's name; the most preferred of them last. unavailable: why the others are not there.
    size: pixels of the face's square before.
    """

    pictures: Mapping[str, Image]
    unavailable: Mapping[str, str]
    size: float

    def sheet(self) -> Image:
        """All of them in a row, each with its name, cut to a square."""
        from kinblend.imaging.sheet import sheet

        squares = [_square(picture) for picture in self.pictures.values()]
        side = min(max(square.width for square in squares), SIDE)
        return sheet(squares, side=side, captions=list(self.pictures))


def upscale_face(
    image: Image, upscalers: list[str] | None = None, *, face: int | None = None, name: str = "the picture"
) -> Upscaled:
    """Enlarge the face in an RGB picture by these upscalers; None: by all that can be used.

    face: its number, from the left, where there are several. name: what errors call the picture.
    Raises `FaceError`, for a large face too, and for a named upscaler `UsageError` and `ModelError`.
    """
    from kinblend.faces.alignment import face_square

    points = choose_face(faces_in(image), face, name).points
    size = float(face_square(points).side)
    if size > LARGEST:
        raise FaceError(f"the face in {name} is {size:.0f} pixels wide; enlarging is for faces of up to {LARGEST}")
    pictures, unavailable = {}, {}
    for each in upscalers or reversed([spec.name for spec in load_plugins()["upscaler"].by_preference()]):
        try:
            pictures[each], _, _ = enlarge_face(image, points, each, LARGEST + 1)
        except (UsageError, ModelError) as error:
            if upscalers:
                raise
            unavailable[each] = str(error)
    return Upscaled(pictures, unavailable, size)


def _square(picture: Image) -> Image:
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))
