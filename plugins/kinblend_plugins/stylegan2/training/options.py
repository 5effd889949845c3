"""The recipe as a pydantic model, for `kinblend train backbone stylegan2`."""

from __future__ import annotations

from dataclasses import MISSING, fields
from math import inf, isfinite
from typing import Any, get_type_hints

from pydantic import ConfigDict, Field, create_model

from kinblend_plugins.stylegan2.training.recipe import Recipe


def _field(entry: Any) -> Any:
    default = ... if entry.default is MISSING else entry.default
    limits = {"ge": entry.metadata.get("low", -inf), "le": entry.metadata.get("high", inf)}
    bounds = {key: value for key, value in limits.items() if isfinite(value)}
    return Field(default, description=entry.metadata["help"], **bounds)


_HINTS = get_type_hints(Recipe)
_FIELDS: Any = {entry.name: (_HINTS[entry.name], _field(entry)) for entry in fields(Recipe)}
TrainOptions = create_model(
    "TrainOptions",
    __config__=ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True),
    **_FIELDS,
)
