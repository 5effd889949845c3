"""What a run is asked for, checked before any work is done."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinblend.errors import UnsupportedError, UsageError, wrap_plugin_errors
from kinblend.imaging import to_picture
from kinblend.interfaces import Blender, Editor
from kinblend.pipeline.age_and_sex import OLDEST, YOUNGEST, AgeAndSex, ChildSpec, SexChoice
from kinblend.pipeline.variation import MOST_MUTATION, MOST_SIBLINGS
from kinblend.types import Latent, LatentSpace, Target
from kinblend.validation import explain, shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.pipeline.result import Parent

MAX_SEED = 2**63 - 1  # what generators take
MAX_STRENGTH = 100.0  # of an edit by a direction of which no range is known, in its units
BEYOND = 2.0  # times the range that an attribute was fitted for: strengths up to there are warned of
MAX_CALIBRATED = 6.0  # of an attribute that has targets: in standard deviations
YEARS_MEANT = 3.0  # standard deviations of an age: whoever writes more may well mean years


@dataclass(frozen=True)
class GivenLatent:
    """A parent given as a latent. source: its fingerprint, for the manifest."""

    latent: Latent
    source: Mapping[str, str]


EditValue = float | Target  # a strength, or what the attribute is to become


if TYPE_CHECKING:
    Picture = str | Path | Image | NDArray[Any] | Parent | Latent
    Source = str | Path | Image | Parent | GivenLatent  # a picture as a run has it


class ChildOptions(BaseModel):
    """How a child is made of two parents. The command line, Python, the web app and the manifest have these fields.

    Raises `pydantic.ValidationError`; `ChildRequest.of` raises `UsageError` instead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    blender: str | None = Field(default=None, description="the strategy; left out: the one that plugins prefer")
    blender_options: dict[str, Any] = Field(default={}, description="options of the strategy")
    projector_options: dict[str, Any] = Field(default={}, description="options of the backbone's projector")
    age: float | None = Field(default=None, description="in years; left out: as old as the blend of the parents")
    sex: SexChoice | None = Field(
        default=None, description="any: drawn from each child's seed; left out: as the blend of the parents is"
    )
    edits: dict[str, float | str] = Field(
        default={},
        description="attribute → strength, or a target; one of age or gender takes the place of age or sex",
    )
    neutral: bool = Field(default=True, description="neutral expressions and heads turned ahead first")
    siblings: float = Field(
        default=0.0,
        ge=0,
        le=MOST_SIBLINGS,
        description="how different children of one couple are; 1: as real brothers and sisters",
    )
    mutation: float = Field(
        default=0.0,
        ge=0,
        le=MOST_MUTATION,
        description="the share of a child's genes that come from somebody else of its age and sex",
    )
    seed: int = Field(default=0, description="everything random is drawn from it")


class ChildRequest(ChildOptions):
    """What a run is asked for, beside the two photographs: of the command line, Python, the web app and the manifest.

    Args:
        by_default: which of "age" and "sex" nobody asked for: an edit of the attribute beats these, and an editor
            without such targets leaves them out. The other fields say what they are: `ChildRequest.model_fields`.

    Raises:
        pydantic.ValidationError: where a field is unknown or won't do; `ChildRequest.of` raises `UsageError` instead.

    Example:
        >>> ChildRequest(age=8, sex="girl", children=2).children
        2
    """

    editor: str | None = Field(default=None, description="left out: the one that plugins prefer")
    editor_options: dict[str, Any] = Field(default={}, description="options of the editor")
    by_default: tuple[Literal["age", "sex"], ...] = Field(
        default=(), description="what of age and sex nobody asked for"
    )
    children: int = Field(default=1, description="how many; each has a seed of its own: seed, seed + 1, …")
    father_face: int | None = Field(default=None, description="which face, from the left, where there are several")
    mother_face: int | None = Field(default=None, description="likewise")
    upscaler: str | None = Field(
        default=None, description="enlarges faces of less than 256 pixels; left out: they stay as they are"
    )
    judge: bool = Field(default=False, description="note which age and sex an independent network sees")

    @property
    def age_and_sex(self) -> AgeAndSex:
        """Age and sex, with which of them nobody asked for. Raises `UsageError`."""
        return AgeAndSex(self.age, self.sex, frozenset(self.by_default))

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """A request of these fields. Raises `UsageError` that names the field, the value and what is allowed."""
        if unknown := sorted(set(fields) - set(cls.model_fields)):
            known = ", ".join(cls.model_fields)
            raise UsageError(f"a request has no field {', '.join(map(repr, unknown))}; it has: {known}")
        try:
            return cls.model_validate(dict(fields))
        except ValidationError as error:
            place, value, why = explain(error)
            raise UsageError(f"{place}={shortened(value)}: {why}") from error


@dataclass(frozen=True)
class RunPlan:
    """A request with what it names loaded and checked.

    pictures: the father's, then the mother's; paths, RGB pictures, latents or people known already. edits: attribute
    → strength or target, the same for all children. seeds, children: one for each child. projector_options: of these
    children. judge: the analyser that looks at the children's pictures, if one does. warnings: what of the request
    will hardly give what is meant by it.
    """

    request: ChildRequest
    pictures: tuple[Source, Source]
    blender: Blender
    editor: Editor | None
    edits: Mapping[str, EditValue]
    seeds: tuple[int, ...]
    children: tuple[ChildSpec, ...]
    projector_options: BaseModel
    judge: str | None = None
    warnings: tuple[str, ...] = ()


def load_input(picture: Picture, space: LatentSpace) -> Source:
    """A path or a parent as it is; a picture from memory upright and in RGB; a latent, or a file of one, read.

    A child's manifest stands for its latent. space: that latents must be of. Raises `ImageError`, `LatentError` and
    what `person_file` does.
    """
    from kinblend.files import file_sha256
    from kinblend.pipeline.lineage import person_file
    from kinblend.pipeline.result import Parent
    from kinblend.storage.latents import is_latent, latent_sha256, load_latent

    if isinstance(picture, Latent):
        space.require(picture.space)
        return GivenLatent(picture.copy(), {"latent_sha256": latent_sha256(picture)})
    if isinstance(picture, (str, Path)):
        picture = person_file(picture)
        if not is_latent(picture):
            return picture
        return GivenLatent(load_latent(picture, space), {"sha256": file_sha256(picture)})
    return picture if isinstance(picture, Parent) else to_picture(picture)


def child_seeds(first: int, count: int) -> tuple[int, ...]:
    """The seeds of so many children. Raises `UsageError`."""
    try:
        first, count = operator.index(first), operator.index(count)
    except TypeError:
        raise UsageError(f"seed and children are whole numbers, not {first!r} and {count!r}") from None
    if count < 1:
        raise UsageError(f"children must be at least 1, not {count}")
    if not 0 <= first <= MAX_SEED - count:
        raise UsageError(f"seed {first}: use 0 to {MAX_SEED - count}")
    return tuple(range(first, first + count))


def validate_edits(editor: Editor, edits: Mapping[str, Any]) -> dict[str, EditValue]:
    """Edits as strengths and targets: -2, "-2", "8y" or "female".

    Raises `UsageError` for an attribute the editor does not know, and for a value that is neither or out of range.
    """
    known = _Known.of(editor)
    found: dict[str, EditValue] = {}
    for name, value in edits.items():
        if name not in known.attributes:
            names = ", ".join(known.attributes) or "none; see `kinblend editors show`"
            raise UsageError(f"{editor.title} can't move {name!r} of {editor.space.backbone}; it can move: {names}")
        found[name] = edit = value if isinstance(value, Target) else _edit(name, value, known)
        if isinstance(edit, Target):
            _check_target(name, edit, known)
        else:
            _check_strength(name, edit, known)
    return found


def edit_warnings(editor: Editor, edits: Mapping[str, EditValue]) -> list[str]:
    """A line on each edit beyond what its attribute was fitted for, with the range."""
    known, found = _Known.of(editor), []
    for name, edit in edits.items():
        value = edit.value if isinstance(edit, Target) else edit
        spans, unit = (known.values, edit.unit) if isinstance(edit, Target) else (known.strengths, "")
        low, high = spans.get(name, (-math.inf, math.inf))
        if isinstance(value, str):
            continue
        if not low <= value <= high:
            said = f"{name}={value:g}{unit[:1]}"
            fitted = f"{low:.3g} to {high:.3g}{f' {unit}' if unit else ''}"
            found.append(f"{said} is beyond {fitted}, which {known.backbone} was fitted for: it may look wrong")
        elif not isinstance(edit, Target) and "years" in known.targets.get(name, ()) and value >= YEARS_MEANT:
            found.append(f"{name}={value:g} is a strength, in standard deviations; for {value:g} years: {value:g}y")
    return found


def resolve_strengths(editor: Editor, code: Tensor, edits: Mapping[str, EditValue]) -> dict[str, float]:
    """The strengths that make the edits of a code, float32 [L, D]. Raises `UsageError` where there is none."""
    targets = {name: edit for name, edit in edits.items() if isinstance(edit, Target)}
    found = dict(editor.strengths_for_targets(code, targets)) if targets else {}
    return {name: found[name] if isinstance(edit, Target) else edit for name, edit in edits.items()}


@dataclass(frozen=True)
class _Known:
    """What an editor says of itself. strengths, values: between which each attribute was fitted."""

    backbone: str
    attributes: Mapping[str, str]
    targets: Mapping[str, Sequence[str]]
    strengths: Mapping[str, tuple[float, float]]
    values: Mapping[str, tuple[float, float]]

    @classmethod
    def of(cls, editor: Editor) -> _Known:
        with wrap_plugin_errors(editor.title):
            return cls(
                editor.space.backbone,
                dict(editor.attributes()),
                dict(editor.targets()),
                dict(editor.strength_ranges()),
                dict(editor.target_ranges()),
            )

    def most(self, name: str) -> tuple[float, float]:
        """The least and the most strength that is taken."""
        low, high = (BEYOND * end for end in self.strengths.get(name, (-MAX_STRENGTH / 2, MAX_STRENGTH / 2)))
        limit = MAX_CALIBRATED if self.targets.get(name) else MAX_STRENGTH
        return max(low, -limit), min(high, limit)

    def examples(self, name: str) -> str:
        """What may be written for an attribute."""
        goals = [f"{name}=8y" if one == "years" else f"{name}={one}" for one in self.targets.get(name, ())]
        return " or ".join([f"a number of standard deviations, such as {name}=1", *goals])


def _edit(name: str, value: Any, known: _Known) -> EditValue:
    """A number is a strength; one with a unit, or the beginning of one (8y), a target."""
    text = value.strip() if isinstance(value, str) else value
    written = re.fullmatch(r"(.*[0-9.]) *([a-z]+)", text) if isinstance(text, str) else None
    units = [unit for units in known.targets.values() for unit in units]
    unit = next((one for one in units if written and one.startswith(written[2])), "")
    try:
        number = float(written[1] if written and unit else text)
    except (TypeError, ValueError):
        if isinstance(text, str) and text.isalpha():
            return Target(text)
        if isinstance(text, str) and "," in text:
            raise UsageError(f"{name}={value!r}: one attribute at a time; ask for each by itself") from None
        raise UsageError(f"{name}={value!r}: write {known.examples(name)}") from None
    return Target(number, unit) if unit else number


def _check_strength(name: str, edit: float, known: _Known) -> None:
    """Raise `UsageError` for a strength far beyond what the attribute was fitted for: "age=8" means years."""
    low, high = known.most(name)
    if low <= edit <= high:
        return
    years = f"; for {edit:g} years write {name}={edit:g}y" if "years" in known.targets.get(name, ()) else ""
    about = " is a strength, in standard deviations" if name in known.strengths else ""
    raise UsageError(f"{name}={edit:g}{about}: use {low:.3g} to {high:.3g}{years if 0 < edit <= OLDEST else ''}")


def _check_target(name: str, goal: Target, known: _Known) -> None:
    if (goal.unit or goal.value) not in known.targets.get(name, ()):
        raise UnsupportedError(f"{name} of {known.backbone} can't be set to {goal}; write {known.examples(name)}")
    if isinstance(goal.value, str):
        return
    low, high = (YOUNGEST, OLDEST) if goal.unit == "years" else known.values.get(name, (-math.inf, math.inf))
    if not low <= goal.value <= high:
        unit = goal.unit[:1]
        raise UsageError(f"{name}={goal.value:g}{unit}: use {name}={low:g}{unit} to {name}={high:g}{unit}")
