"""Parents: their faces found in photographs, encoded, and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.backbone import Backbone
from kinblend.errors import UsageError
from kinblend.faces import FaceQuality, cut_face
from kinblend.imaging import read_image
from kinblend.pipeline.manifest import fingerprint
from kinblend.pipeline.request import GivenLatent
from kinblend.pipeline.result import Parent
from kinblend.types import AlignedFace

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.pipeline.request import Source


@dataclass(frozen=True)
class UnencodedParent:
    """A face that was found, not yet encoded. key: what it is remembered by. source: the photograph's SHA-256.
    number: of the face in it, where one was chosen. quality: of the face in the photograph."""

    face: AlignedFace
    key: str
    source: Mapping[str, str]
    number: int | None
    quality: FaceQuality | None = None


class ParentCache:
    """Looks at photographs for one backbone.

    size: how many parents are remembered, so that another child of the same people needs no second look at their
    photographs. The least recently encoded one goes first.
    """

    def __init__(self, backbone: Backbone, size: int) -> None:
        self.backbone, self.size = backbone, size
        self._known: dict[str, Parent] = {}

    def resolve(
        self,
        picture: Source,
        number: int | None,
        name: str,
        source: Mapping[str, str] | None = None,
        upscaler: str | None = None,
    ) -> Parent | UnencodedParent:
        """Someone known, or a face that is yet to be encoded; see `detect`. Who is given as a latent is rendered."""
        if isinstance(picture, GivenLatent):
            if number is not None:
                raise UsageError(f"{name} is a latent, which has one face; leave out the number of a face")
            [crop] = self.backbone.render([picture.latent])
            return Parent(crop, picture.latent, source=picture.source)
        return picture if isinstance(picture, Parent) else self.detect(picture, number, name, source, upscaler)

    def detect(
        self,
        picture: str | Path | Image,
        number: int | None,
        name: str,
        source: Mapping[str, str] | None = None,
        upscaler: str | None = None,
    ) -> UnencodedParent:
        """The aligned face of a picture, and what the parent it belongs to is remembered by.

        number: of the face, from the left. name: what errors call a picture that has no path. source: the picture's
        fingerprint, where it is known already. upscaler: which enlarges a small face; None for none.
        """
        source = fingerprint(picture) if source is None else source
        key = f"{source} {number} {upscaler}"
        if key in self._known:
            parent = self._known[key]
            face = AlignedFace(parent.crop, parent.landmarks)
            return UnencodedParent(face, key, source, number, parent.quality)
        if isinstance(picture, (str, Path)):
            name, image = str(picture), read_image(picture)
        else:
            image = picture
        size = self.backbone.encoder.crop_size
        found = cut_face(image, size, face=number, name=name, upscaler=upscaler)
        return UnencodedParent(found.face, key, source, number, found.quality)

    def encode(self, who: Parent | UnencodedParent) -> Parent:
        """The parent with this face."""
        [parent] = self.encode_all([who])
        return parent

    def encode_all(self, people: Sequence[Parent | UnencodedParent]) -> list[Parent]:
        """The parents with these faces. A latent must not depend on who else is encoded, so most encoders are given
        one face at a time."""
        new = {who.key: who for who in people if isinstance(who, UnencodedParent) and who.key not in self._known}
        faces, encode = [who.face for who in new.values()], self.backbone.encode
        together = bool(faces) and self.backbone.encoder.batch_invariant
        latents = encode(faces) if together else [encode([face])[0] for face in faces]
        for who, latent in zip(new.values(), latents, strict=True):
            face = who.face
            self._known[who.key] = Parent(
                face.image, latent, face.landmarks, source=who.source, face=who.number, quality=who.quality
            )
        parents = [who if isinstance(who, Parent) else self._known[who.key] for who in people]
        while len(self._known) > self.size:
            del self._known[next(iter(self._known))]
        return parents

    def forget(self) -> None:
        """Remember nobody any more."""
        self._known.clear()
