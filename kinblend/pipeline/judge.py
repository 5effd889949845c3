"""What an independent network sees in the children: age and sex, for the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kinblend.errors import KinblendError, summarize, wrap_plugin_errors
from kinblend.plugins import load_plugins
from kinblend.registry import PluginSpec

if TYPE_CHECKING:
    from PIL.Image import Image

SEXES = {"f": "girl", "m": "boy"}


def judge_children(judge: str | None, pictures: Sequence[Image]) -> dict[str, Any]:
    """What an analyser sees: {"seen": an entry for each picture, "judge": its name, "judge_note": None}.

    An entry has "age" (years), "sex" ("girl" or "boy") and "sex_confidence" (0 to 1), each None where the analyser
    does not tell. Where it can't be asked, or judge is None, "seen" is None and "judge_note" says why: a judge never
    makes a run fail.
    """
    if judge is None:
        return {"seen": None, "judge": None, "judge_note": "no judge was asked"}
    try:
        found = _guesses(load_plugins()["analyser"].get(judge), pictures)
    except Exception as error:
        note = str(error) if isinstance(error, KinblendError) else summarize(error)
        return {"seen": None, "judge": judge, "judge_note": note}
    return {"seen": found, "judge": judge, "judge_note": None}


def _guesses(spec: PluginSpec, pictures: Sequence[Image]) -> list[dict[str, Any]]:
    with wrap_plugin_errors(f"analyser '{spec.name}'"):
        guesses = spec.load()([picture.copy() for picture in pictures])
        return [_entry(guess) for _, guess in zip(pictures, guesses, strict=True)]


def _entry(guess: Mapping[str, Any]) -> dict[str, Any]:
    age, confidence = guess.get("age"), guess.get("gender_confidence")
    return {
        "age": None if age is None else round(float(age), 1),
        "sex": SEXES.get(str(guess.get("gender"))),
        "sex_confidence": None if confidence is None else round(float(confidence), 3),
    }
