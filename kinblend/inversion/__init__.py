"""Pictures → codes by optimisation, and the space in which that stays near real faces."""

from kinblend.inversion.faces import Steps, TuningEncoder, each_in_a_thread, tune_faces
from kinblend.inversion.losses import (
    feature_distance,
    head_weight,
    identity_distance,
    identity_features,
    picture_distance,
    resized,
)
from kinblend.inversion.near_w import InversionNearW, measured_space
from kinblend.inversion.refine import refine
from kinblend.inversion.tuning import COMPARED, TuningWeights, tune, tuned
from kinblend.inversion.weight_changes import (
    as_detail,
    blend_changes,
    change_shape,
    changed,
    check_changes,
    drawn_apart,
    multiplied,
    shared_copy,
    weight_changes,
)
from kinblend.inversion.whitening import SLOPE, Whitening, redone, undone
from kinblend.inversion_options import TuningOptions, Weights

__all__ = [
    "COMPARED",
    "SLOPE",
    "InversionNearW",
    "Steps",
    "TuningEncoder",
    "TuningOptions",
    "TuningWeights",
    "Weights",
    "Whitening",
    "as_detail",
    "blend_changes",
    "change_shape",
    "changed",
    "check_changes",
    "drawn_apart",
    "each_in_a_thread",
    "feature_distance",
    "head_weight",
    "identity_distance",
    "identity_features",
    "measured_space",
    "multiplied",
    "picture_distance",
    "redone",
    "refine",
    "resized",
    "shared_copy",
    "tune",
    "tune_faces",
    "tuned",
    "undone",
    "weight_changes",
]
