"""What an order costs, known before anybody waits for it.

An option that says how often pictures are made and looked at has `json_schema_extra={"repeats": True}`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from kinblend.errors import OptionError, UsageError
from kinblend.web.limits import Limits


def check_cost(limits: Limits, told: Iterable[BaseModel], children: int, resolution: int) -> None:
    """Raise `UsageError` where an order asks for more than one may.

    told: the options of all its plugins. children: how many. resolution: the side of their pictures in px.
    """
    steps = 0
    for name, value in (found for options in told for found in _repeats(options)):
        if value > limits.steps:
            raise OptionError(f"{name}={value} is too much here; give at most {limits.steps}")
        steps += value
    cost = children * (1 + steps) * resolution**2 / 1e6
    if cost > limits.megapixels:
        raise UsageError(
            f"{children} children with {steps} steps each at {resolution} px are {cost:.0f} megapixels, at most "
            f"{limits.megapixels:.0f} are made at a time; ask for fewer children or steps"
        )


def _repeats(options: BaseModel) -> Iterator[tuple[str, int]]:
    for name, field in type(options).model_fields.items():
        extra, value = field.json_schema_extra, getattr(options, name)
        if isinstance(extra, dict) and extra.get("repeats") and isinstance(value, (int, float)):
            yield name, int(value)
