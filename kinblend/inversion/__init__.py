"""Pictures → codes by optimisation, and the space in which that stays near real faces."""

from kinblend.inversion.losses import (
    feature_distance,
    head_weight,
    identity_distance,
    identity_features,
    picture_distance,
    resized,
)
from kinblend.inversion.near_w import InversionNearW
from kinblend.inversion.refine import Weights, refine
from kinblend.inversion.whitening import SLOPE, Whitening, redone, undone

__all__ = [
    "SLOPE",
    "InversionNearW",
    "Weights",
    "Whitening",
    "feature_distance",
    "head_weight",
    "identity_distance",
    "identity_features",
    "picture_distance",
    "redone",
    "refine",
    "resized",
    "undone",
]
