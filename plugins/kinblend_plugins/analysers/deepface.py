"""The package deepface (Serengil & Ozpinar 2021), which downloads its networks when they are first used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from kinblend.errors import UsageError

ACTIONS = ("age", "gender", "race", "emotion")
GENDERS = {"Man": "m", "Woman": "f"}


def analyse(crops: Sequence[Image]) -> list[dict[str, Any]]:
    """Age, gender, race and emotion of each crop. Raises `UsageError` where the package is missing."""
    try:
        from deepface import DeepFace
    except ImportError as error:
        raise UsageError(
            f"the analyser needs the package deepface: pip install deepface tf-keras ({error})"
        ) from error
    found = []
    for crop in crops:
        pixels = np.asarray(crop.convert("RGB"))[:, :, ::-1]  # it takes BGR
        answer = DeepFace.analyze(pixels, actions=ACTIONS, detector_backend="skip", silent=True)
        found.append(_one(answer[0] if isinstance(answer, list) else answer))
    return found


def _one(answer: dict[str, Any]) -> dict[str, Any]:
    guess: dict[str, Any] = {"age": float(answer["age"])}
    for name in ("gender", "race", "emotion"):
        likeliest = answer[f"dominant_{name}"]
        guess[name] = GENDERS.get(likeliest, likeliest)
        guess[f"{name}_confidence"] = float(answer[name][likeliest]) / 100
    return guess
