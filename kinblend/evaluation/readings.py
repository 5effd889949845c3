"""What analysers answer of faces, as numbers and classes by name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinblend.errors import PluginError
from kinblend.plugins import load_plugins

if TYPE_CHECKING:
    from PIL.Image import Image

CLASSES = ("gender", "race", "emotion")  # guesses that are words; each may have a …_confidence


@dataclass(frozen=True)
class Reading:
    """What one analyser says of one face. numbers: attribute → value. classes: attribute → word."""

    numbers: Mapping[str, float] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"numbers": dict(self.numbers), "classes": dict(self.classes)}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Reading:
        """What `record` gave."""
        return cls(record["numbers"], record["classes"])


def read_guess(guess: Any, who: str) -> Reading:
    """An analyser's answer of one face, as docs/plugins.md describes it.

    "age" becomes a number, and "gender" with its confidence the number "male", 0 to 1; what is None or NaN is left
    out. who: the analyser, for errors. Raises `PluginError` for an answer of another form.
    """
    if not isinstance(guess, Mapping):
        raise PluginError(f"analyser '{who}' answered a {type(guess).__name__} of a face, not a mapping")
    numbers, classes = _numbers(guess, who), _words(guess.get("classes"), who, "classes")
    if (age := _number(guess.get("age"), who, "age")) is not None:
        numbers["age"] = age
    classes |= {name: str(guess[name]) for name in CLASSES if guess.get(name)}
    sure = _number(guess.get("gender_confidence", 1.0), who, "gender_confidence")
    if classes.get("gender") in ("m", "f") and sure is not None:
        numbers["male"] = sure if classes["gender"] == "m" else 1 - sure
    return Reading(numbers, classes)


def _numbers(guess: Mapping[str, Any], who: str) -> dict[str, float]:
    found = {}
    for name, value in _mapping(guess.get("attributes"), who, "attributes").items():
        number = _number(value, who, f"attribute {name!r}")
        if number is not None:
            found[name] = number
    return found


def _number(value: Any, who: str, what: str) -> float | None:
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise PluginError(f"analyser '{who}' gives {value!r:.60} as {what}, which is no number") from None
    return number if math.isfinite(number) else None


def _words(value: Any, who: str, what: str) -> dict[str, str]:
    return {name: str(word) for name, word in _mapping(value, who, what).items() if word not in (None, "")}


def _mapping(value: Any, who: str, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
        raise PluginError(f"analyser '{who}' gives {value!r:.60} as {what}; give a mapping by names")
    return value


def usable_analysers() -> list[str]:
    """Those that plugins prefer, the most preferred first, but for those whose packages are missing."""
    found = [spec for spec in load_plugins()["analyser"] if spec.preferred and all(spec.required_versions().values())]
    return [spec.name for spec in sorted(found, key=lambda spec: -spec.preferred)]


def ask_analyser(name: str, crops: Sequence[Image]) -> list[Reading]:
    """What one analyser says of RGB crops in FFHQ geometry, which it gets copies of.

    Raises `UnknownPluginError`, and `PluginError` where it does not answer with a list, a mapping for each face.
    """
    ask = load_plugins()["analyser"].get(name).function()
    guesses: Sequence[Any] = ask([crop.copy() for crop in crops])
    if not isinstance(guesses, Sequence) or len(guesses) != len(crops):
        raise PluginError(f"analyser '{name}' did not answer with a list of {len(crops)}, one for each face")
    return [read_guess(guess, name) for guess in guesses]
