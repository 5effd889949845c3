"""Would a registered plugin work? Imports what a spec points at, which `load_plugins` leaves until it is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kinblend.errors import KinblendError, summarize
from kinblend.face_interfaces import BASES
from kinblend.interfaces import Blender, Editor, Encoder, Projector
from kinblend.plugins import Plugins
from kinblend.registry import KINDS, PluginSpec, contained
from kinblend.validation import explain, shortened

if TYPE_CHECKING:
    from pydantic import BaseModel

_CLASSES: dict[str, type] = {base.kind: base for base in (Encoder, Blender, Editor, Projector)} | BASES


def plugin_problems(plugins: Plugins, source: str) -> list[str]:
    """What is wrong with all that one plugin registered, a line each: "blender 'mine': …"."""
    specs = [(kind, spec) for kind in KINDS for spec in plugins[kind] if spec.source == source]
    return [f"{kind} '{spec.name}': {problem}" for kind, spec in specs for problem in spec_problems(kind, spec)]


def spec_problems(kind: str, spec: PluginSpec) -> list[str]:
    """What is wrong with one spec: its target, or its options. Nothing is made or called."""
    found = []
    for look in (_target_problems, _options_problems):
        try:
            with contained():
                found += list(look(kind, spec))
        except KinblendError as error:
            found.append(str(error))
        except Exception as error:  # whatever a stranger's class does when it is looked at
            found.append(summarize(error))
    return found


def _target_problems(kind: str, spec: PluginSpec) -> Iterator[str]:
    target, base = spec.load(), _CLASSES.get(kind)
    if base is None:
        if not callable(target):
            yield f"{spec.target} is a {type(target).__name__}, not a function"
    elif not isinstance(target, type):
        if not callable(target):  # a function that makes one is fine
            yield f"{spec.target} is a {type(target).__name__}, not a class derived from kinblend.{base.__name__}"
    elif not issubclass(target, base):
        yield f"{spec.target} is not derived from kinblend.{base.__name__}"
    elif missing := sorted(getattr(target, "__abstractmethods__", ())):
        yield f"{spec.target} lacks {', '.join(missing)}"
    elif issubclass(target, Blender) and (target.weights, target.blend) == (Blender.weights, Blender.blend):
        yield f"{spec.target} implements neither weights nor blend"


def _options_problems(kind: str, spec: PluginSpec) -> Iterator[str]:
    """Defaults that the model itself would refuse: pydantic looks at none, and the first use would fail."""
    from pydantic import ValidationError

    model = spec.options_model()
    yield from filter(None, (_refused(model, options) for options in spec.variants.values()))
    defaults = _defaults(model)
    try:
        model.model_validate(defaults)
    except ValidationError as error:
        for one in error.errors():
            name = str(one["loc"][0]) if one["loc"] else ""
            if one["type"] != "missing" and name in defaults:
                _, value, why = explain(error)
                yield f"the default of its option {name}, {shortened(value)}, is refused: {why}"
                return


def _refused(model: type[BaseModel], options: Any) -> str:
    """Why a variant's options are refused; empty where they are not."""
    from pydantic import ValidationError

    try:
        model.model_validate(dict(options))
    except ValidationError as error:
        place, value, why = explain(error)
        return f"the options of a variant are refused: {place}={shortened(value)}: {why}"
    return ""


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    fields = {name: field for name, field in model.model_fields.items() if not field.is_required()}
    return {field.alias or name: field.get_default(call_default_factory=True) for name, field in fields.items()}
