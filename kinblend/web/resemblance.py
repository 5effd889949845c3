"""What a similarity means, in words for people."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from kinblend.face_interfaces import SimilarityScale
from kinblend.identity import load_identity


def sentences(similarity: Mapping[str, float]) -> dict[str, str] | None:
    """Words for each similarity; None where the identity network in use has no scale."""
    scale = load_identity().scale
    return None if scale is None else {who: sentence(value, scale) for who, value in similarity.items()}


def sentence(value: float, scale: SimilarityScale) -> str:
    """How alike two faces are, beside pairs that everybody knows: "more alike than 72 % of unrelated pairs"."""
    if scale.same_person is not None and value >= scale.same_person:
        return "as alike as two photographs of one person"
    if scale.strangers_deviation:  # pairs of one kind are spread about normally
        share = NormalDist(scale.strangers, scale.strangers_deviation).cdf(value)
        return f"more alike than {min(99, max(1, round(100 * share)))} % of unrelated pairs"
    if value <= scale.strangers:
        return "no more alike than strangers"
    if scale.siblings is not None and value >= scale.siblings:
        return "as alike as brothers and sisters, or more"
    return "more alike than strangers" + (", less than brothers and sisters" if scale.siblings is not None else "")
