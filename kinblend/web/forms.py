"""A form from any plugin's own options model.

A field's `title` is its label. Its `json_schema_extra` may say more than its type does: `{"ends": ["mother",
"father"]}` is what the two ends of a slider mean, `{"widget": "layers"}` makes a mapping of layers to shares a slider
for each group of layers, and `{"starts": [0.75, 0.25]}` says where these begin, in turn; `{"widget": "parts"}` makes
a mapping of parts of the face to parents a drawn face, whose parts the plugin's `names_for` names. `{"labels": {"a":
"Words"}}` names choices for people, `{"help": "…"}` takes the place of the description, `{"form": False}` leaves a
field out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from kinblend.errors import OptionError
from kinblend.registry import PluginSpec

HINTS = ("widget", "ends", "starts", "labels", "help", "repeats")
Kind = Literal["slider", "number", "switch", "choice", "text", "layers", "parts", "json"]


@dataclass(frozen=True)
class Field:
    """One control.

    name: the option. kind: what it looks like. label, help: its words. default: as JSON text. low, high, step: of
    numbers, where they have bounds. ends: what these mean. choices: what can be picked, with its label; of parts, the
    labels that are known. starts: where the sliders of layers begin, in turn. repeats: whether pictures are made so
    often.
    """

    name: str
    kind: Kind
    label: str
    help: str
    default: str
    low: float | None = None
    high: float | None = None
    step: str = "any"
    ends: tuple[str, str] | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    starts: tuple[float, ...] = (0.5,)
    repeats: bool = False

    @property
    def value(self) -> Any:
        """The default itself."""
        return json.loads(self.default)


def fields_of(spec: PluginSpec) -> list[Field]:
    """The controls for what a plugin can be told.

    Files are left out: a browser has no business naming files here.
    """
    schema = spec.options_schema()
    definitions = schema.get("$defs", {})
    found = (_field(name, value, definitions) for name, value in schema.get("properties", {}).items())
    return [control for control in found if control is not None]


def refuse_files(spec: PluginSpec, options: BaseModel) -> None:
    """Raise `OptionError` where an option names a file of the server's."""
    for name in type(options).model_fields:
        if getattr(options, name) != type(options).model_fields[name].get_default(call_default_factory=True):
            for value in _walk(getattr(options, name)):
                if isinstance(value, Path):
                    raise OptionError(
                        f"'{spec.name}' takes no file for {name} over the web; give the values themselves"
                    )


def _walk(value: Any) -> Iterator[Any]:
    yield value
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _walk(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _walk(item)


def _field(name: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Field | None:
    schema = _resolved(schema, definitions)
    variants = [_resolved(variant, definitions) for variant in schema.get("anyOf", [schema])]
    usable = [variant for variant in variants if variant.get("type") != "null" and variant.get("format") != "path"]
    if not usable or not schema.get("form", True):
        return None
    shape = {**usable[0], **{key: schema[key] for key in HINTS if key in schema}}
    kind, default, labels = _kind(shape), schema.get("default"), shape.get("labels", {})
    return Field(
        name,
        kind,
        str(schema.get("title", name)).replace("_", " "),
        str(shape.get("help", schema.get("description", ""))),
        _json(default),
        shape.get("minimum", shape.get("exclusiveMinimum")),
        shape.get("maximum", shape.get("exclusiveMaximum")),
        _step(shape, default),
        tuple(shape["ends"]) if "ends" in shape else None,
        labels if kind == "parts" else {str(one): str(labels.get(one, one)) for one in shape.get("enum", ())},
        tuple(shape.get("starts", (0.5,))),
        bool(shape.get("repeats")),
    )


def _kind(shape: Mapping[str, Any]) -> Kind:
    if shape.get("widget") == "layers":
        return "layers"
    if shape.get("widget") == "parts":
        return "parts"
    if "enum" in shape:
        return "choice"
    kind = shape.get("type")
    if kind in ("number", "integer"):
        return "slider" if "minimum" in shape and "maximum" in shape else "number"
    plain: Mapping[Any, Kind] = {"boolean": "switch", "string": "text"}
    return plain.get(kind, "json")


def _json(default: Any) -> str:
    """As a browser writes it: 1.0 is "1"."""
    whole = isinstance(default, float) and default.is_integer()
    return json.dumps(int(default) if whole else default)


def _step(shape: Mapping[str, Any], default: Any) -> str:
    """A hundredth of the range or less, round, and so that a browser, which takes multiples, has the default."""
    if shape.get("type") == "integer":
        return "1"
    if "minimum" not in shape or "maximum" not in shape:
        return "any"
    low, hundredth = shape["minimum"], (shape["maximum"] - shape["minimum"]) / 100
    tens = 10.0 ** math.floor(math.log10(hundredth))
    steps = [tens * digit for digit in (5, 2, 1, 0.5, 0.2, 0.1, 0.01) if tens * digit <= hundredth * (1 + 1e-9)]
    from_low = 0.0 if default is None else default - low
    return next((f"{step:g}" for step in steps if _is_whole(from_low / step)), "any")


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1e-6


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema with the definition it refers to; what stands beside the reference counts more."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return {**definitions[name], **schema} if name in definitions else schema
