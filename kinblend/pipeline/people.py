"""Parents: their faces found in photographs, encoded, and remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.backbone import Backbone
from kinblend.faces import align_with_landmarks, find_face
from kinblend.imaging import read_image
from kinblend.pipeline.manifest import fingerprint
from kinblend.pipeline.result import Parent
from kinblend.types import AlignedFace

if TYPE_CHECKING:
    from PIL.Image import Image

REMEMBERED = 8  # parents kept, so that another child of the same people needs no second look at their photographs


class People:
    """Looks at photographs for one backbone."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self._known: dict[str, Parent] = {}

    def look(self, picture: str | Path | Image, number: int | None, name: str) -> tuple[AlignedFace, str]:
        """The aligned face of a picture, and what the parent it belongs to is remembered by.

        number: of the face, from the left. name: what errors call a picture that has no path.
        """
        key = f"{fingerprint(picture)} {number}"
        if key in self._known:
            parent = self._known[key]
            return AlignedFace(parent.crop, parent.landmarks), key
        if isinstance(picture, (str, Path)):
            name, image = str(picture), read_image(picture)
        else:
            image = picture
        found = find_face(image, face=number, name=name)
        return align_with_landmarks(image, found.landmarks, self.backbone.encoder.input_size), key

    def encode(self, face: AlignedFace, key: str) -> Parent:
        """The parent with this face."""
        if key not in self._known:
            while len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = Parent(face.image, self.backbone.encode([face])[0], face.landmarks)
        return self._known[key]
