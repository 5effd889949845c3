"""What analysers answer of faces, as numbers and classes by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinblend.errors import PluginError

if TYPE_CHECKING:
    from torch import Tensor

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


Looks = Mapping[str, Reading]  # of one face: analyser → what it says


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


@dataclass(frozen=True)
class Columns:
    """The attributes that faces have: analyser and name of each, and what it is called in reports.

    An attribute that several analysers know is called by its name for the first of them, and "name (analyser)" for
    the others.
    """

    numbers: Sequence[tuple[str, str, str]]
    classes: Sequence[tuple[str, str, str]]

    @classmethod
    def of(cls, faces: Iterable[Looks], analysers: Sequence[str]) -> Columns:
        """All attributes of some faces. analysers: in the order in which they come first."""
        faces = list(faces)
        kinds = {}
        for kind in ("numbers", "classes"):
            labels: dict[str, tuple[str, str, str]] = {}
            for who in analysers:
                names = {name for face in faces for name in getattr(face.get(who, Reading()), kind)}
                for name in sorted(names):
                    label = f"{name} ({who})" if name in labels else name
                    labels[label] = (who, name, label)
            kinds[kind] = tuple(labels.values())
        return cls(**kinds)

    @property
    def names(self) -> list[str]:
        """What the numbers are called."""
        return [label for _, _, label in self.numbers]

    def values(self, faces: Sequence[Looks]) -> Tensor:
        """The numbers, float32 [n, A]; NaN where one was not told."""
        import torch

        rows = [[face[who].numbers.get(name, math.nan) for who, name, _ in self.numbers] for face in faces]
        return torch.tensor(rows, dtype=torch.float32).view(len(faces), len(self.numbers))

    def words(self, faces: Sequence[Looks], label: str) -> list[str]:
        """One of the classes by its label, of each face; "" where it was not told."""
        [(who, name, _)] = [column for column in self.classes if column[2] == label]
        return [face[who].classes.get(name, "") for face in faces]
