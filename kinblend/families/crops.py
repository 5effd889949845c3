"""The one face in a picture of a kinship set, cut out for a network that looks at faces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 256  # of the crops, in pixels


def face_crop(picture: Path, aligned: bool) -> Image | str:
    """The face in FFHQ geometry, `SIDE` pixels wide, or why there is none. aligned: the picture is such a crop."""
    from kinblend.faces.alignment import align
    from kinblend.faces.select import faces_in
    from kinblend.imaging.decode import read_image

    try:
        image = read_image(picture)
    except ImageError as error:
        return str(error)
    if aligned:
        return image.resize((SIDE, SIDE))
    faces = faces_in(image)
    if len(faces) != 1:
        return f"{len(faces)} faces were found"
    return align(image, faces[0].points, SIDE)
