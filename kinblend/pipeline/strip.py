"""One person at several values of one attribute: ages, a smile that grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kinblend.errors import UsageError
from kinblend.imaging.sheet import sheet
from kinblend.pipeline.manifest import describe_plugin, versions
from kinblend.pipeline.request import edit_warnings, validate_edits
from kinblend.types import Latent, Target

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.interfaces import Editor
    from kinblend.pipeline.engine import Engine
    from kinblend.pipeline.request import EditValue
    from kinblend.pipeline.result import Parent


@dataclass(frozen=True)
class Strip:
    """Pictures of one person, each with one attribute at another value.

    person: who, unchanged. attribute: which was moved. values: to what. latents, pictures: one for each value.
    warnings: values beyond what the editor was fitted for, and what is wrong with the photograph. record: how they
    were made, as JSON has it.
    """

    person: Parent
    attribute: str
    values: Sequence[EditValue]
    latents: Sequence[Latent]
    pictures: Sequence[Image]
    warnings: Sequence[str]
    record: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """A name for the files of each value: "age-4y"."""
        return [f"{self.attribute}-{_short(value)}" for value in self.values]

    def sheet(self, side: int = 384) -> Image:
        """All pictures in a row, the unchanged one first, each with its value below. side: of each, in pixels."""
        captions = ["as photographed" if self.person.quality else "unchanged", *map(_text, self.values)]
        return sheet([self.person.crop, *self.pictures], side=side, captions=captions)


def plan_strip(
    editor: Editor, attribute: str, values: Sequence[str | float], fixed: Mapping[str, str | float] | None = None
) -> list[EditValue]:
    """The values as strengths and targets. Raises `UsageError` for one that won't do, or that stands there twice, and
    for other edits that won't do."""
    if attribute in validate_edits(editor, fixed or {}):
        raise UsageError(f"{attribute} is what changes from picture to picture; leave it out of the other edits")
    found = [validate_edits(editor, {attribute: value})[attribute] for value in values]
    if not found:
        raise UsageError(f"name at least one value of {attribute}")
    if len({str(value) for value in found}) < len(found):
        raise UsageError(f"{attribute}: a value stands there twice")
    return found


def make_strip(
    engine: Engine,
    person: Parent,
    editor: Editor,
    attribute: str,
    values: Sequence[str | float],
    fixed: Mapping[str, str | float] | None = None,
) -> Strip:
    """One person at each of these values of an attribute.

    person: whom `engine.parent` found. values: strengths (-2) or targets ("8y", "female"), as `Engine.run` takes
    edits. fixed: other edits, which all pictures have: {"gender": "female"}.
    Raises `UsageError` before any work for a value that won't do.
    """
    wanted = plan_strip(editor, attribute, values, fixed)
    others = validate_edits(editor, fixed or {})
    latents = [engine.edit(person.latent, editor, {**others, attribute: value}) for value in wanted]
    warnings = strip_warnings(person, editor, attribute, wanted, others)
    record = strip_record(engine, person, editor, attribute, wanted, others)
    return Strip(person, attribute, wanted, latents, engine.render(latents), warnings, record)


def strip_warnings(
    person: Parent,
    editor: Editor,
    attribute: str,
    values: Sequence[EditValue],
    fixed: Mapping[str, EditValue | str] | None = None,
) -> list[str]:
    """What is wrong with the photograph, and values beyond what the editor was fitted for, a line each.

    values: as `plan_strip` gives them."""
    others = validate_edits(editor, fixed or {})
    beyond = [line for value in values for line in edit_warnings(editor, {**others, attribute: value})]
    return [*person.warnings, *dict.fromkeys(beyond)]


def strip_record(
    engine: Engine,
    person: Parent,
    editor: Editor,
    attribute: str,
    values: Sequence[EditValue],
    fixed: Mapping[str, EditValue | str],
) -> dict[str, Any]:
    """How a strip is made, as JSON has it."""
    return {
        "versions": versions(),
        "backbone": engine.backbone.name,
        "latent_space": engine.backbone.space.sha256,
        "input": dict(person.source or {}),
        "editor": describe_plugin(editor),
        "attribute": attribute,
        "values": [_text(value) for value in values],
        "with": {name: _text(value) for name, value in validate_edits(editor, fixed).items()},
    }


def _text(value: EditValue) -> str:
    return str(value) if isinstance(value, Target) else f"{value:g}"


def _short(value: EditValue) -> str:
    """For names of files: 4y, female, -2."""
    if not isinstance(value, Target):
        return f"{value:g}"
    return value.value if isinstance(value.value, str) else f"{value.value:g}{value.unit[:1]}"
