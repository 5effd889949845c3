"""What pydantic refuses, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

# pydantic's messages, which typer hands on as well, and what they mean to whoever gave the value.
_WORDS = (
    (r"(?:Value|Assertion) error, (.*)", r"\1"),
    (r"Field required", "it is missing"),
    (r"Extra inputs are not permitted", "there is no such field"),
    (r"Input should be a valid integer.*", "give a whole number"),
    (r"Input should be a (?:valid|finite) number.*", "give a number"),
    (r"Input should be a valid string.*", "give text"),
    (r"Input should be a valid boolean.*", "give true or false"),
    (r"Input should be a valid (?:dictionary|mapping).*", 'give a mapping, such as {"name": value}'),
    (r"Input should be a valid (?:list|tuple|array|set).*", "give a list"),
    (r"Input (?:is not|should be) a(?: valid)? path.*", "give a path"),
    (r"Input should be None", "leave it out"),
    (r"Input should be greater than or equal to (.*)", r"use at least \1"),
    (r"Input should be less than or equal to (.*)", r"use at most \1"),
    (r"Input should be greater than (.*)", r"use more than \1"),
    (r"Input should be less than (.*)", r"use less than \1"),
    (r"\w+ should have at least (\d+) \w+ after validation.*", r"give at least \1"),
    (r"\w+ should have at most (\d+) \w+ after validation.*", r"give at most \1"),
    (r"Input should be (?:an instance of )?(.*)", r"use \1"),
)
# What pydantic puts at the end of a place where a value may be of several types: a name of the type.
_TYPE = re.compile(r"(float|int|str|bool|path|list|dict|none|(constrained|function|lax|json)\b.*)$|.*\[")


def plain_words(message: str) -> str:
    """One message of pydantic's in plain words; any other as it is.

    >>> plain_words("Input should be greater than or equal to 1")
    'use at least 1'
    """
    for pattern, words in _WORDS:
        if re.fullmatch(pattern, message, re.DOTALL):
            return re.sub(pattern, words, message, count=1, flags=re.DOTALL)
    return message


def missing_fields(error: ValidationError) -> list[str]:
    """The fields that are required and not there."""
    return [".".join(map(str, one["loc"])) for one in error.errors() if one["type"] == "missing"]


def explain(error: ValidationError) -> tuple[str, Any, str]:
    """The first thing that is wrong: the place ("edits.smile"; empty for the whole), the value there, what to do.

    Where a value may be of several types, what each of them asks for.
    """
    first = error.errors()[0]
    place = _place(first["loc"])
    asked = dict.fromkeys(_asked(error, place))
    words = [text if number == 0 else text.removeprefix("give ") for number, text in enumerate(asked)]
    return ".".join(map(str, place)), first["input"], " or ".join(words)


def _asked(error: ValidationError, place: tuple[int | str, ...]) -> Iterator[str]:
    for one in error.errors():
        if _place(one["loc"]) == place:
            yield plain_words(one["msg"])


def _place(where: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A place without the names of types that pydantic puts behind it."""
    while len(where) > 1 and isinstance(where[-1], str) and _TYPE.match(where[-1]):
        where = where[:-1]
    return where


def shortened(value: Any) -> str:
    """A value in a message: never more than 60 letters, whatever it is."""
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:40]} … {text[-10:]}"
