"""From a photograph to the one face in it: found, judged, enlarged where asked for, cut out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kinblend.faces.alignment import align_many, align_with_landmarks, face_square
from kinblend.faces.quality import SIDE, SMALL, FaceQuality, measure_quality
from kinblend.faces.select import DetectedFace, find_face
from kinblend.faces.upscale import OFF, enlarge_face
from kinblend.types import AlignedFace

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class CutFace:
    """face: in FFHQ geometry. found: where it was in the photograph. quality: of it there."""

    face: AlignedFace
    found: DetectedFace
    quality: FaceQuality


def cut_face(
    image: Image, size: int, *, face: int | None = None, name: str = "the picture", upscaler: str | None = None
) -> CutFace:
    """Cut the face out of an RGB picture: a crop of `size` pixels in FFHQ geometry, upright however it was turned.

    face: its number, from the left, where there are several. name: what errors call the picture. upscaler: which
    enlarges a face of less than 256 pixels; None for none. Raises `FaceError`.
    """
    found = find_face(image, face=face, name=name)
    seen, crop = align_many(image, found.landmarks, [SIDE, size])
    quality = measure_quality(image, found.landmarks, crop=seen)
    image, landmarks, enlarged = enlarge_face(image, found.landmarks, upscaler or OFF, SMALL)
    if enlarged == 1:
        aligned = AlignedFace(crop, face_square(landmarks).into_crop(landmarks, size))
    else:
        aligned = align_with_landmarks(image, landmarks, size)
    return CutFace(aligned, found, replace(quality, enlarged=enlarged))
