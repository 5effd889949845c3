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
from kinblend.pipeline.age_and_sex import AgeAndSex, ChildSpec, SexChoice
from kinblend.types import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.pipeline.result import Parent

    Picture = str | Path | Image | NDArray[Any] | Parent

MAX_SEED = 2**63 - 1  # what generators take
MAX_STRENGTH = 100.0  # of an edit, in units of its direction; three is a lot
MAX_CALIBRATED = 6.0  # of an attribute that has targets: in standard deviations


EditValue = float | Target  # a strength, or what the attribute is to become


class ChildOptions(BaseModel):
    """How a child is made of two parents. The command line, Python, the web app and the manifest have these fields.

    Raises `pydantic.ValidationError`; `ChildRequest.of` raises `UsageError` instead.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    blender: str | None = Field(default=None, description="the strategy; null: the one that plugins prefer")
    blender_options: dict[str, Any] = Field(default={}, description="options of the strategy")
    projector_options: dict[str, Any] = Field(default={}, description="options of the backbone's projector")
    age: float | None = Field(default=None, description="in years; null: as old as the blend of the parents")
    sex: SexChoice | None = Field(
        default=None, description="any: drawn from each child's seed; null: as the blend of the parents is"
    )
    edits: dict[str, float | str] = Field(
        default={},
        description="attribute → strength, or a target; one of age or gender takes the place of age or sex",
    )
    neutral: bool = Field(default=True, description="neutral expressions and heads turned ahead first")
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

    editor: str | None = Field(default=None, description="null: the one that plugins prefer")
    editor_options: dict[str, Any] = Field(default={}, description="options of the editor")
    by_default: tuple[Literal["age", "sex"], ...] = Field(
        default=(), description="what of age and sex nobody asked for"
    )
    children: int = Field(default=1, description="how many; each has a seed of its own: seed, seed + 1, …")
    father_face: int | None = Field(default=None, description="which face, from the left, where there are several")
    mother_face: int | None = Field(default=None, description="likewise")
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
            first = error.errors()[0]
            raise UsageError(f"{'.'.join(map(str, first['loc']))}={first['input']!r}: {first['msg']}") from error


@dataclass(frozen=True)
class RunPlan:
    """A request with what it names loaded and checked.

    pictures: the father's, then the mother's; paths, RGB pictures or people known already. edits: attribute →
    strength or target, the same for all children. seeds, children: one for each child. projector_options: of these
    children. judge: the analyser that looks at the children's pictures, if one does.
    """

    request: ChildRequest
    pictures: tuple[str | Path | Image | Parent, str | Path | Image | Parent]
    blender: Blender
    editor: Editor | None
    edits: Mapping[str, EditValue]
    seeds: tuple[int, ...]
    children: tuple[ChildSpec, ...]
    projector_options: BaseModel
    judge: str | None = None


def load_input(picture: Picture) -> str | Path | Image | Parent:
    """A path or a parent as it is; a picture from memory upright and in RGB. Raises `ImageError`."""
    from kinblend.pipeline.result import Parent

    return picture if isinstance(picture, (str, Path, Parent)) else to_picture(picture)


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
    with wrap_plugin_errors(editor.title):
        known, targets = dict(editor.attributes()), editor.targets()
    found, units = {}, [unit for known_units in targets.values() for unit in known_units]
    for name, value in edits.items():
        if name not in known:
            names = ", ".join(known) or "none; see `kinblend editors show`"
            raise UsageError(f"{editor.title} can't move {name!r} of {editor.space.backbone}; it can move: {names}")
        found[name] = value if isinstance(value, Target) else _edit(name, value, units)
        _check_target(editor, name, found[name], targets.get(name, ()))
        _check_strength(name, found[name], targets.get(name, ()))
    return found


def resolve_strengths(editor: Editor, code: Tensor, edits: Mapping[str, EditValue]) -> dict[str, float]:
    """The strengths that make the edits of a code, float32 [L, D]. Raises `UsageError` where there is none."""
    targets = {name: edit for name, edit in edits.items() if isinstance(edit, Target)}
    found = dict(editor.strengths_for_targets(code, targets)) if targets else {}
    return {name: found[name] if isinstance(edit, Target) else edit for name, edit in edits.items()}


def _edit(name: str, value: Any, units: Sequence[str]) -> EditValue:
    """A number is a strength; one with a unit, or the beginning of one (8y), a target."""
    text = value.strip() if isinstance(value, str) else value
    written = re.fullmatch(r"(.*[0-9.]) *([a-z]+)", text) if isinstance(text, str) else None
    unit = next((known for known in units if written and known.startswith(written[2])), "")
    try:
        number = float(written[1] if written and unit else text)
    except (TypeError, ValueError):
        if isinstance(text, str) and text.isalpha():
            return Target(text)
        raise UsageError(f"{name}={value!r}: give a strength (-2) or a target (8y)") from None
    if not math.isfinite(number) or abs(number) > MAX_STRENGTH:
        raise UsageError(f"{name}={value}: use −{MAX_STRENGTH:g} to {MAX_STRENGTH:g}")
    return Target(number, unit) if unit else number


def _check_strength(name: str, edit: EditValue, known: Sequence[str]) -> None:
    """What can be set to a target is calibrated: "age=8" is hardly meant as eight standard deviations."""
    if known and not isinstance(edit, Target) and abs(edit) > MAX_CALIBRATED:
        years = f"; for {edit:g} years write {name}={edit:g}y" if "years" in known else ""
        raise UsageError(
            f"{name}={edit:g} is a strength, in standard deviations: use −{MAX_CALIBRATED:g} to "
            f"{MAX_CALIBRATED:g}{years}"
        )


def _check_target(editor: Editor, name: str, edit: EditValue, known: Sequence[str]) -> None:
    if isinstance(edit, Target) and (edit.unit or edit.value) not in known:
        examples = [f"{name}=-2", *(f"{name}=8{one[0]}" if one == "years" else f"{name}={one}" for one in known)]
        raise UnsupportedError(
            f"{name} of {editor.space.backbone} can't be set to {edit}; write {' or '.join(examples)}"
        )
