"""Would a registered plugin work? Imports what a spec points at, which `load_plugins` leaves until it is used, and
opens the packs that come with it."""

from __future__ import annotations

import dis
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import KinblendError, summarize
from kinblend.face_interfaces import BASES, IdentityNetwork
from kinblend.interfaces import Blender, Editor, Encoder, Projector
from kinblend.plugins import Plugins
from kinblend.registry import KINDS, PluginSpec, contained
from kinblend.storage.packs import Pack, open_pack
from kinblend.validation import explain, shortened

if TYPE_CHECKING:
    from pydantic import BaseModel

    from kinblend.storage.pack_sources import PackSource

# What the classes of a kind have to say of themselves, as an attribute of the class or set in the constructor.
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    Encoder.kind: ("input_size",),
    Projector.kind: ("resolution",),
    IdentityNetwork.kind: ("embedding_size", "input_side"),
}
_CLASSES: dict[str, type] = {base.kind: base for base in (Encoder, Blender, Editor, Projector)} | BASES


def plugin_problems(plugins: Plugins, source: str) -> list[str]:
    """What is wrong with all that one plugin registered, a line each: "blender 'mine': …"."""
    specs = [(kind, spec) for kind in KINDS for spec in plugins[kind] if spec.source == source]
    packs = [pack for name, pack in plugins.packs.items() if plugins.pack_owners[name] == source]
    return [
        *(f"{kind} '{spec.name}': {problem}" for kind, spec in specs for problem in spec_problems(kind, spec)),
        *(f"pack '{pack.name}': {problem}" for pack in packs for problem in pack_problems(plugins, pack)),
    ]


def pack_problems(plugins: Plugins, source: PackSource) -> list[str]:
    """What is wrong with a pack that a plugin registered. Its files are not hashed, and no network is made."""
    if source.folder is None:
        if not source.downloads or not source.importer:
            return ["it has neither a folder nor downloads and an importer; give it one of the two"]
        if source.importer not in plugins["importer"]:
            return [f"there is no importer '{source.importer}' for its downloads; register it"]
        return []
    if not Path(source.folder).is_dir():
        return [f"{source.folder} is not there; ship the folder with the package (package-data)"]
    try:
        with contained():
            return list(_folder_problems(plugins, source.name, open_pack(source.folder)))
    except KinblendError as error:
        return [str(error)]


def _folder_problems(plugins: Plugins, name: str, pack: Pack) -> Iterator[str]:
    if pack.name != name:
        yield f"its pack.json names it '{pack.name}'; give PackSource and pack.json one name"
    for kind in ("encoder", "projector"):
        used = pack.description[kind]
        if used is not None and used not in plugins[kind]:
            known = ", ".join(spec.name for spec in plugins[kind])
            yield f"its pack.json names the {kind} '{used}', which no plugin brings; there are: {known}"
    projector = pack.description["projector"]
    if projector in plugins["projector"]:
        side = getattr(plugins["projector"].get(projector).load(), "resolution", None)
        if isinstance(side, int) and side != pack.resolution:
            yield f"its pack.json states resolution {pack.resolution}, and its projector has {side}; state {side}"


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
    elif unset := [name for name in _ATTRIBUTES.get(kind, ()) if not _sets(target, name, base)]:
        yield f"{spec.target} lacks {' and '.join(unset)}; set it in the class"


def _sets(target: type, name: str, base: type) -> bool:
    """Whether a class has an attribute, or a function of its own that may set it when an object is made."""
    own = [one for one in target.__mro__ if not issubclass(base, one)]
    codes = [getattr(value, "__code__", None) for one in own for value in vars(one).values()]
    stored = (step for code in filter(None, codes) for step in dis.get_instructions(code))
    return hasattr(target, name) or any(
        (step.opname, step.argval) in (("STORE_ATTR", name), ("LOAD_CONST", name)) for step in stored
    )


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
