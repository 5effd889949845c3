"""Strategies by name. A registry refuses a duplicate and is never half-changed."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO, cast

from kinblend.errors import (
    DuplicateNameError,
    OptionError,
    PluginError,
    UnknownPluginError,
    UsageError,
    is_interrupt,
    summarize,
    wrap_plugin_errors,
)
from kinblend.validation import explain, missing_fields, shortened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

KINDS = (
    "encoder",
    "blender",
    "editor",
    "projector",
    "trainer",
    "importer",
    "dataset",
    "analyser",
    "detector",
    "landmarker",
    "identity-network",
    "upscaler",
    "evaluation",
    "benchmark",
    "command",
)


@dataclass(frozen=True)
class PluginSpec:
    """A plugin, named before it is imported.

    Args:
        name: what users type; lower case, digits and dashes.
        summary: one line for lists.
        target: "module:attribute" of the class or function, imported on first use.
        options: "module:attribute" of its pydantic options model, or the model itself; fields become `--set` keys.
        source: the plugin that registered it; filled in by the plugin manager.
        weights: the file of a backbone's pack without which it can't be used unless an option gives other weights;
            lists then show it as not available there.
        reads: further files of a pack that it reads where they are there.
        preferred: the most preferred of a kind is the one used by default; lists show it first. 0: never by default.
        trains: what a trainer trains: "backbone", "blender", "encoder" or "directions".
        requires: distributions that it needs beside its own plugin's.
        variants: options under which evaluations try it, by the name they are reported under. One of the plugin's own
            name takes the place of its defaults.
        label, explanation: the same as name and summary, for people outside the field: the web page has them.

    Example:
        >>> PluginSpec("mine", "the mean of both", "statistics:mean").load()([1, 3])
        2
    """

    name: str
    summary: str
    target: str
    options: str | type[BaseModel] | None = None
    source: str = field(default="", compare=False)
    weights: str = ""
    reads: tuple[str, ...] = ()
    preferred: int = 0
    trains: str = "backbone"
    requires: tuple[str, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    label: str = field(default="", compare=False)
    explanation: str = field(default="", compare=False)

    def load(self) -> Any:
        """The class or function itself. Raises `PluginError` if it can't be imported."""
        return self._import(self.target)

    def function(self) -> Callable[..., Any]:
        """The function itself; what it raises, but our own errors, becomes a `PluginError` that names it."""
        target = self.load()

        def guarded(*arguments: Any, **named: Any) -> Any:
            with wrap_plugin_errors(f"'{self.name}' of plugin '{self.source}'"):
                return target(*arguments, **named)

        return guarded

    def required_versions(self) -> dict[str, str]:
        """The distributions that it requires, with their installed versions; "" where one is not installed."""
        from importlib.metadata import PackageNotFoundError, version

        found = {}
        for name in self.requires:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = ""
        return found

    def options_model(self) -> type[BaseModel]:
        """The pydantic model of its options; an empty one where it has none."""
        from pydantic import BaseModel

        model: Any = self._import(self.options) if isinstance(self.options, str) else self.options
        if model is None:
            return _no_options()
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise PluginError(f"the options of '{self.name}' ({self.source}) are no pydantic model")
        return model

    def parse_options(self, values: Mapping[str, Any]) -> BaseModel:
        """Validated options. Raises `OptionError` that names the key, the value and what is allowed."""
        from pydantic import ValidationError

        model = self.options_model()
        unknown = sorted(set(values) - set(model.model_fields))
        if unknown:
            known = ", ".join(model.model_fields) or "none"
            raise OptionError(f"'{self.name}' has no option {', '.join(map(repr, unknown))}; it has: {known}")
        try:
            return model.model_validate(dict(values))
        except ValidationError as error:
            if missing := missing_fields(error):
                raise OptionError(f"'{self.name}' needs {' and '.join(missing)}") from error
            place, value, why = explain(error)
            where = f"{place}={shortened(value)}" if place else "its options"
            raise OptionError(f"'{self.name}' refuses {where}: {why}") from error
        except BaseException as error:  # a validator of the plugin's own may raise anything
            if is_interrupt(error):
                raise
            raise PluginError(f"the options of '{self.name}' ({self.source}) failed: {summarize(error)}") from error

    def options_schema(self) -> dict[str, Any]:
        """The JSON schema of its options. A default that JSON can't hold is left out.

        Raises `PluginError` where there is none.
        """
        model = self.options_model()
        with wrap_plugin_errors(f"the options of '{self.name}' ({self.source})"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pydantic's, about such a default
            schema: dict[str, Any] = json.loads(json.dumps(model.model_json_schema()))
        return schema

    def _import(self, path: str) -> Any:
        module, _, attribute = path.partition(":")
        try:
            with contained():
                return getattr(import_module(module), attribute)
        except BaseException as error:
            if is_interrupt(error):
                raise
            raise PluginError(
                f"'{self.name}' of plugin '{self.source}' can't be imported from {path}: {summarize(error)}"
            ) from error


@contextmanager
def contained() -> Iterator[None]:
    """While a plugin's module is imported: what it prints goes to stderr, and the current directory, the streams and
    the handler of Ctrl-C are as before afterwards."""
    streams, folder = (sys.stdout, sys.stderr), ""
    with suppress(OSError):  # it may have been removed
        folder = os.getcwd()  # noqa: PTH109
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    sys.stdout = cast(TextIO, _Echo(sys.stderr))
    sys.stderr = sys.stdout
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        with suppress(OSError):
            os.chdir(folder or ".")
        if main and handler is not None and signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)


class _Echo(io.TextIOBase):
    """A stream that writes where another does, and can be closed without closing that one."""

    def __init__(self, target: TextIO) -> None:
        self._target = target

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # a closed terminal is no reason to lose a plugin
            self._target.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._target.flush()

    def isatty(self) -> bool:
        return self._target.isatty()

    def fileno(self) -> int:
        return self._target.fileno()


@cache
def _no_options() -> type[BaseModel]:
    from pydantic import ConfigDict, create_model

    return create_model("NoOptions", __config__=ConfigDict(extra="forbid", frozen=True))


_TEXTS = ("name", "summary", "target", "weights", "trains")


def _check_spec(kind: str, spec: PluginSpec) -> None:
    """Raise `UsageError` for a spec that was filled in wrongly."""
    for field_name in _TEXTS:
        value = getattr(spec, field_name)
        if not isinstance(value, str):
            raise UsageError(f"{kind} {shortened(spec.name)}: {field_name} is text, not {shortened(value)}")
    check_name(kind, spec.name)
    if isinstance(spec.preferred, bool) or not isinstance(spec.preferred, int):
        raise UsageError(f"{kind} '{spec.name}': preferred is a whole number, not {shortened(spec.preferred)}")
    for field_name in ("requires", "reads"):
        if isinstance(getattr(spec, field_name), str):
            raise UsageError(f"{kind} '{spec.name}': {field_name} is a tuple of names, not one name")


def check_name(kind: str, name: str) -> None:
    """Raise `UsageError` unless `name` can name a `kind` of thing."""
    if not name or name[0] == "-" or not all(c.islower() or c.isdigit() or c == "-" for c in name):
        raise UsageError(f"{kind} name {name!r}: use lower case letters, digits and dashes")


class Registry:
    """Specs of one kind by name.

    kind: what the entries are, for messages ("blender"). left_out: the plugins that were left out because they are
        broken: one of them may have brought a name that is not here.
    """

    def __init__(self, kind: str, left_out: Sequence[str] = ()) -> None:
        self.kind = kind
        self.left_out = left_out
        self._specs: dict[str, PluginSpec] = {}

    def add(self, specs: Iterable[PluginSpec]) -> None:
        """Take all of `specs` or, if one name is taken or malformed, none of them.

        Raises `DuplicateNameError` and `UsageError`.
        """
        new = dict(self._specs)
        for spec in specs:
            _check_spec(self.kind, spec)
            if ":" not in spec.target:
                raise UsageError(f"{self.kind} '{spec.name}': target {spec.target!r} is not 'module:attribute'")
            if spec.name in new:
                raise DuplicateNameError(
                    f"{self.kind} '{spec.name}' is registered already by '{new[spec.name].source}'"
                )
            new[spec.name] = spec
        self._specs = new

    def get(self, name: str) -> PluginSpec:
        """The spec of that name. Raises `UnknownPluginError` that lists the names there are."""
        try:
            return self._specs[name]
        except KeyError:
            names = ", ".join(self._specs) or "none"
            broken = ", ".join(f"'{plugin}'" for plugin in self.left_out)
            hint = f"; the plugin {broken} could not be loaded, see `kinblend plugins`" if broken else ""
            raise UnknownPluginError(f"there is no {self.kind} '{name}'; there are: {names}{hint}") from None

    def by_preference(self) -> list[PluginSpec]:
        """All specs, the most preferred first; among equals in the order of their registration."""
        return sorted(self._specs.values(), key=lambda spec: -spec.preferred)

    def default(self) -> PluginSpec:
        """The most preferred spec. Raises `UnknownPluginError` where none is preferred."""
        for spec in self.by_preference():
            if spec.preferred:
                return spec
        raise UnknownPluginError(
            f"no {self.kind} is used by default; name one of: {', '.join(self._specs) or 'none'}"
        )

    def __iter__(self) -> Iterator[PluginSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)

    def __contains__(self, name: str) -> bool:
        return name in self._specs
