"""Words of the command line that need reading: `--set blender.key=value`, `--edit age=-2`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from kinblend.errors import UsageError


def parse_sets(words: Iterable[str], group: str) -> dict[str, Any]:
    """`["blender.share=0.3"]` → `{"share": 0.3}`. Values are JSON where they can be, text otherwise.

    group: the only group allowed ("blender"). Raises `UsageError`.
    """
    values: dict[str, Any] = {}
    for word in words:
        key, equals, text = word.partition("=")
        found, dot, name = key.partition(".")
        if not equals or not dot or not name:
            raise UsageError(f"--set {word!r}: write --set {group}.key=value")
        if found != group:
            raise UsageError(f"--set {word!r}: only options of the {group} can be set here")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def parse_edits(words: Iterable[str]) -> dict[str, float]:
    """`["age=-2", "smile=1"]` → `{"age": -2.0, "smile": 1.0}`. Raises `UsageError`."""
    edits: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        try:
            edits[name] = float(text)
        except ValueError:
            raise UsageError(f"--edit {word!r}: write --edit attribute=strength, age=-2 say") from None
        if not name or not math.isfinite(edits[name]):
            raise UsageError(f"--edit {word!r}: the strength must be a finite number")
    return edits
