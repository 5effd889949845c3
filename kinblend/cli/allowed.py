"""What values an option takes, in words, from its JSON schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def allowed_values(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """The choices, the range, or the kind of value: "girl, boy or any", "0 to 1", "a file".

    schema: the whole that the field is of, where definitions that it refers to stand.
    """
    found = dict.fromkeys(_said(variant, schema) for variant in variants(field, schema))
    return either([words for words in found if words])


def default_value(field: Mapping[str, Any]) -> str:
    """A field's default as one would write it; empty for none, and for an empty list or mapping."""
    value = field.get("default")
    if value is None or value == [] or value == {} or value == "":
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def either(words: Sequence[str]) -> str:
    """ "a, b or c"."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def span(low: float | None, high: float | None) -> str:
    """A range of numbers: "0 to 1", "at least 1"; empty without bounds."""
    if low is None:
        return "" if high is None else f"at most {_number(high)}"
    return f"at least {_number(low)}" if high is None else f"{_number(low)} to {_number(high)}"


def _number(value: float) -> str:
    """A bound in three digits; a whole number as it is: 1000, not 1e+03."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.3g}"


def variants(field: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The types a value may be of, references followed, without the one that stands for nothing."""
    found: list[Mapping[str, Any]] = []
    for variant in field.get("anyOf") or field.get("oneOf") or field.get("allOf") or [field]:
        reference = str(variant.get("$ref", "")).rpartition("/")[2]
        known = schema.get("$defs", {}).get(reference, variant)
        if known is not field and {"anyOf", "oneOf", "allOf"} & set(known):
            found += variants(known, schema)
        elif known.get("type") != "null":
            found.append(known)
    return found


def _said(variant: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "enum" in variant:
        return either([str(choice) for choice in variant["enum"]])
    if "const" in variant:
        return str(variant["const"])
    kind = variant.get("type", "")
    if kind in ("integer", "number"):
        return _range(variant) or KINDS[kind]
    if "path" in str(variant.get("format", "")):
        return "a file"
    if kind == "array":
        return _list(variant, schema)
    inner = variant.get("additionalProperties")
    if kind == "object" and isinstance(inner, Mapping):
        return _each("a mapping", allowed_values(inner, schema))
    return KINDS.get(str(kind), "")


def _range(variant: Mapping[str, Any]) -> str:
    low, high = variant.get("minimum"), variant.get("maximum")
    above, below = variant.get("exclusiveMinimum"), variant.get("exclusiveMaximum")
    words = [span(low, high), f"more than {above:g}" if above is not None else ""]
    return ", ".join(filter(None, [*words, f"less than {below:g}" if below is not None else ""]))


def _list(variant: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    parts = variant.get("prefixItems")
    if parts:
        return f"a list of {len(parts)}"
    return _each("a list", allowed_values(variant.get("items") or {}, schema))


def _each(whole: str, part: str) -> str:
    return f"{whole} ({part} each)" if part else whole
