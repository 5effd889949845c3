"""Finding a face, its landmarks, and cutting it out as the FFHQ data set does.

Detectors and landmarkers are plugins (`kinblend.face_interfaces`); the built-in ones are in
`kinblend_plugins/detectors` and `kinblend_plugins/landmarkers`.
"""

from kinblend.faces.alignment import align, align_with_landmarks
from kinblend.faces.cut import CutFace, cut_face
from kinblend.faces.face_parts import COLOURED, PARTS, colour_masks, part_masks
from kinblend.faces.landmarks import landmarks_in_crop, predict_in_crop
from kinblend.faces.quality import FaceQuality, measure_quality
from kinblend.faces.select import DetectedFace, faces_in, find_face

__all__ = [
    "COLOURED",
    "PARTS",
    "CutFace",
    "DetectedFace",
    "FaceQuality",
    "align",
    "align_with_landmarks",
    "colour_masks",
    "cut_face",
    "faces_in",
    "find_face",
    "landmarks_in_crop",
    "measure_quality",
    "part_masks",
    "predict_in_crop",
]
