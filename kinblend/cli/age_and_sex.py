"""`--age` and `--sex`: what they mean, and the line that says what was made where nobody asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli.flags import CHILD
from kinblend.errors import UsageError

if TYPE_CHECKING:
    from kinblend.pipeline.age_and_sex import AgeAndSex, SexChoice

PARENTS = "parents"
HOW = {"age": "--age N (0 to 80) or --age parents", "sex": "--sex girl, boy or any"}
GROWN_UP = 18  # years, from which on a child is called a woman or a man
GROWN = {"girl": "woman", "boy": "man"}
PLURALS = {"child": "children", "woman": "women", "man": "men"}

Age = Annotated[
    str | None,
    typer.Option(
        "--age",
        metavar="YEARS",
        help="Default: 8. From 0 to 80, or parents: as old as the blend of both.",
        rich_help_panel=CHILD,
    ),
]
SexOption = Annotated[
    Literal["girl", "boy", "any"] | None,
    typer.Option("--sex", help="any, which is the default, draws it from each child's seed.", rich_help_panel=CHILD),
]


def parse_request(age: str | None, sex: SexChoice | None, edits: Mapping[str, Any]) -> AgeAndSex:
    """What the two flags ask for; what was not given is asked for by default.

    edits: what `--edit` asks for. Raises `UsageError`, also where a flag and an edit are about the same.
    """
    from kinblend.pipeline.age_and_sex import ATTRIBUTES, DEFAULT_SEX, AgeAndSex

    given = {"age": age, "sex": sex}
    for name, value in given.items():
        if value is not None and ATTRIBUTES[name] in edits:
            raise UsageError(f"--{name} {value} contradicts --edit {ATTRIBUTES[name]}=…: give one of them")
    by_default = frozenset(name for name, value in given.items() if value is None)
    return AgeAndSex(_years(age), sex or DEFAULT_SEX, by_default)


def describe_default(asked: Sequence[Mapping[str, Any]]) -> str:
    """One line on what was made by default and how to ask otherwise; empty where nothing was.

    asked: as the manifest has it, an entry for each child.
    """
    if "default" not in (asked[0]["age_from"], asked[0]["sex_from"]):
        return ""
    age = asked[0]["age"]
    people = Counter(_person(one["sex"], age) for one in asked)
    who = " and ".join(_counted(count, person) for person, count in people.items())
    found = who if age is None else f"{who} of {age:g} years"
    left_out = asked[0]["left_out"]
    by_default = [name for name in HOW if asked[0][f"{name}_from"] == "default"]
    flags = ", ".join(HOW[name] for name in by_default if name not in left_out)
    return "; ".join(filter(None, [found, *left_out.values(), flags and f"ask with {flags}"]))


def _person(sex: str | None, age: float | None) -> str:
    if sex is None:
        return "child"
    return GROWN[sex] if age is not None and age >= GROWN_UP else sex


def _counted(count: int, person: str) -> str:
    return f"{count} {PLURALS.get(person, person + 's')}" if count > 1 else f"a {person}"


def _years(age: str | None) -> float | None:
    from kinblend.pipeline.age_and_sex import DEFAULT_AGE

    if age is None:
        return DEFAULT_AGE
    if age == PARENTS:
        return None
    try:
        return float(age)
    except ValueError:
        raise UsageError(f"--age {age}: give years, 0 to 80, or {PARENTS}") from None
