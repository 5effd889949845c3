"""How old a child is to be, and of which sex: what was asked for, and what that means for one child."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from kinblend.errors import UsageError
from kinblend.types import Target

if TYPE_CHECKING:
    from kinblend.interfaces import Editor
    from kinblend.pipeline.request import EditValue

Sex = Literal["girl", "boy"]
SexChoice = Literal["girl", "boy", "any"]
Source = Literal["default", "option", "edit"]

ATTRIBUTES = {"age": "age", "sex": "gender"}  # the attributes that an editor knows them by
SEX_TARGETS: Mapping[Sex, str] = {"girl": "female", "boy": "male"}
YOUNGEST, OLDEST = 0.0, 80.0  # years
DEFAULT_AGE = 8.0  # years
DEFAULT_SEX: SexChoice = "any"
WITHOUT = {
    "age": "this backbone has no directions for age: the child has its parents' age",
    "sex": "this backbone has no directions for gender: girl or boy is left to the blend",
}


def years_of(edits: Mapping[str, EditValue]) -> float | None:
    """The age in years that edits ask for; None where they ask for none, or for steps along its direction."""
    goal = edits.get(ATTRIBUTES["age"])
    return goal.value if isinstance(goal, Target) and not isinstance(goal.value, str) else None


@dataclass(frozen=True)
class AgeAndSex:
    """Age and sex that children are to have.

    age: 0 to 80 years; None leaves the age of the blend. sex: "any" draws it from each child's seed; None leaves the
        blend as it is. by_default: which of "age" and "sex" nobody asked for; these give way to edits, and are left
        out where the editor has no such targets.

    Raises `UsageError`.
    """

    age: float | None = None
    sex: SexChoice | None = None
    by_default: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.age is not None:
            object.__setattr__(self, "age", _checked_age(self.age))
        if self.sex is not None and self.sex not in get_args(SexChoice):
            raise UsageError(f"sex {self.sex!r}: use {', '.join(get_args(SexChoice))}")
        if strange := set(self.by_default) - set(ATTRIBUTES):
            raise UsageError(f"by_default {strange}: use {' and '.join(ATTRIBUTES)}")

    @property
    def named(self) -> dict[str, float | SexChoice]:
        """What of the two is asked for."""
        both = {"age": self.age, "sex": self.sex}
        return {name: value for name, value in both.items() if value is not None}

    def check(self, editor: Editor | None, edits: Iterable[str]) -> None:
        """Raise `UsageError` for what is asked for twice, or is beyond the editor."""
        for name in self.named:
            if name in self.by_default:
                continue
            if ATTRIBUTES[name] in edits:
                raise UsageError(f"{name} contradicts an edit of {ATTRIBUTES[name]}: ask for one of them")
            if not _can(editor, name):
                raise UsageError(
                    f"{name} can't be asked for: this backbone has no directions for {ATTRIBUTES[name]}; leave it out"
                )

    def for_child(self, editor: Editor | None, edits: Mapping[str, EditValue], seed: int) -> ChildSpec:
        """What is asked of the child with that seed. edits: attribute → strength or target."""
        left = {name: value for name, value in self.named.items() if ATTRIBUTES[name] not in edits}
        missing = tuple(name for name in left if not _can(editor, name))
        source: dict[str, Source] = {name: "default" if name in self.by_default else "option" for name in self.named}
        source |= {name: "edit" for name in ATTRIBUTES if ATTRIBUTES[name] in edits}
        age = self.age if "age" in left and "age" not in missing else None
        sex = _sex(self.sex, seed) if "sex" in left and "sex" not in missing else None
        return ChildSpec(age, sex, dict(edits), source, missing, drawn=sex is not None and self.sex == "any")


@dataclass(frozen=True)
class ChildSpec:
    """What is asked of one child.

    age: in years; sex; None where nothing is asked. edits: the other edits. source: where each of "age" and "sex"
    came from. missing: which of them were left out, because the editor has no such targets. drawn: whether the sex
    was drawn from the seed.
    """

    age: float | None = None
    sex: Sex | None = None
    edits: Mapping[str, EditValue] = field(default_factory=dict)
    source: Mapping[str, Source] = field(default_factory=dict)
    missing: Sequence[str] = ()
    drawn: bool = False

    @property
    def all_edits(self) -> dict[str, EditValue]:
        """Every edit that makes this child of the blend: attribute → strength or target."""
        found: dict[str, EditValue] = dict(self.edits)
        if self.age is not None:
            found["age"] = Target(self.age, "years")
        if self.sex is not None:
            found["gender"] = Target(SEX_TARGETS[self.sex])
        return found

    @property
    def record(self) -> dict[str, Any]:
        """As the manifest has it. A source is "default", "option" or "edit"; None where nothing was asked."""
        return {
            "age": self.age,
            "age_from": self.source.get("age"),
            "sex": self.sex,
            "sex_from": self.source.get("sex"),
            "sex_drawn": self.drawn,
            "left_out": {name: WITHOUT[name] for name in self.missing},
        }


def draw_sex(seed: int) -> Sex:
    """The sex of a child of whom any was asked: the last bit of the SHA-256 of its seed, written in decimal digits.

    Girls and boys are equally likely, neighbouring seeds are independent, and nothing else that is drawn from the
    seed goes along with it.
    """
    return "boy" if hashlib.sha256(str(seed).encode()).digest()[-1] & 1 else "girl"


def _sex(choice: SexChoice | None, seed: int) -> Sex | None:
    return draw_sex(seed) if choice == "any" else choice


def _can(editor: Editor | None, name: str) -> bool:
    """Whether an editor has the targets for an age in years, or for a sex."""
    targets = editor.targets().get(ATTRIBUTES[name], ()) if editor else ()
    return set(targets) >= ({"years"} if name == "age" else set(SEX_TARGETS.values()))


def _checked_age(age: float) -> float:
    try:
        years = float(age)
    except (TypeError, ValueError):
        years = math.nan
    if not YOUNGEST <= years <= OLDEST:
        raise UsageError(f"age {age!r}: use {YOUNGEST:g} to {OLDEST:g} years")
    return years
