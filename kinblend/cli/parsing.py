"""Words of the command line that need reading: `--set blender.key=value`, `--edit age=-2`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kinblend.errors import InputError, UsageError


def parse_sets(words: Iterable[str], groups: Sequence[str]) -> dict[str, dict[str, Any]]:
    """`["blender.share=0.3"]` → `{"blender": {"share": 0.3}}`. Values are JSON where they can be, text otherwise.

    A key may lead into a mapping: blender.shares.features=0.3 is blender.shares={"features": 0.3}.
    groups: what may be set ("blender", "editor"); each is a key of the answer. Raises `UsageError`.
    """
    values: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for word in words:
        key, equals, text = word.partition("=")
        group, dot, name = key.partition(".")
        if not equals or not dot or not name:
            raise UsageError(f"--set {word!r}: write --set {groups[0]}.key=value")
        if group not in values:
            raise UsageError(f"--set {word!r}: only options of {' and '.join(groups)} can be set here")
        _set(values[group], name.split("."), read_value(text), word)
    return values


def _set(values: dict[str, Any], path: Sequence[str], value: Any, word: str) -> None:
    """Put a value where a path of keys leads. word: for the message."""
    for key in path[:-1]:
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {word!r}: {key} has a value already, which is no mapping")
    if path[-1] in values:
        raise UsageError(f"--set {word!r}: {path[-1]} has a value already: give it once")
    values[path[-1]] = value


def read_value(text: str) -> Any:
    """JSON where it is JSON, the text itself otherwise."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parse_edits(words: Iterable[str]) -> dict[str, str]:
    """`["age=8y", "smile=1"]` → `{"age": "8y", "smile": "1"}`; the engine knows what a value may be.

    Raises `UsageError`.
    """
    edits: dict[str, str] = {}
    for word in words:
        name, _, text = word.partition("=")
        if not name or not text:
            raise UsageError(
                f"--edit {word!r}: write --edit attribute=strength, age=-2 for example, or a target, age=8y"
            )
        if name in edits:
            raise UsageError(f"--edit {name} is given twice, {edits[name]} and {text}: give it once")
        edits[name] = text
    return edits


def parse_names(text: str, flag: str) -> list[str]:
    """`"one, two"` → `["one", "two"]`. Raises `UsageError` where there is none."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{flag} {text!r}: write names, comma between")
    return names


def named_files(words: Sequence[str], flag: str) -> dict[str, str]:
    """`["render=a.safetensors"]` → `{"render": "a.safetensors"}`. Raises `UsageError`, `InputError`."""
    files: dict[str, str] = {}
    for word in words:
        name, _, file = word.partition("=")
        if not name or not file:
            raise UsageError(f"{flag} {word!r}: write {flag} NAME=FILE")
        if not Path(file).is_file():
            raise InputError(f"{flag} {word}: {file} does not exist")
        files[name] = file
    return files


def parse_weights(words: Sequence[str]) -> dict[str, tuple[str, dict[str, str]]]:
    """`["a=mine:f.safetensors"]` → `{"a": ("mine", {"weights": "/…/f.safetensors"})}`.

    Raises `UsageError`, `InputError`.
    """
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for word in words:
        name, _, rest = word.partition("=")
        strategy, _, file = rest.partition(":")
        if not (name and strategy and file):
            raise UsageError(f"--weights {word!r}: write --weights NAME=STRATEGY:FILE")
        if not Path(file).is_file():
            raise InputError(f"--weights {word}: {file} does not exist")
        found[name] = strategy, {"weights": str(Path(file).absolute())}  # wherever the work is done
    return found
