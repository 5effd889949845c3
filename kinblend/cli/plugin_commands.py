"""Commands that plugins bring stand beside our own; their code is imported when they are called.

The contexts are click's, or those of the copy of click that newer typers carry, and so have no type of one name.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import ExitStack, redirect_stderr
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from kinblend.cli import flags
from kinblend.cli.command import App, PluginCommand, tidied, value_word
from kinblend.cli.output import emit, emit_paths, reserve_stdout
from kinblend.errors import wrap_plugin_errors
from kinblend.registry import PluginSpec

PANEL = "Commands of plugins"


class Commands(TyperGroup):
    """Our commands, then those of plugins. One of ours can't be replaced. plugin_kind: of the registered ones."""

    plugin_kind: ClassVar[str] = "command"

    def get_help_option(self, ctx: Any) -> Any:
        return tidied(super().get_help_option(ctx), self.params)

    def list_commands(self, ctx: Any) -> list[str]:
        ours = super().list_commands(ctx)
        return [*ours, *(spec.name for spec in self._registered() if spec.name not in ours)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        ours = super().get_command(ctx, cmd_name)
        if ours is not None:
            return ours
        return next((Later(spec) for spec in self._registered() if spec.name == cmd_name), None)

    def _registered(self) -> list[PluginSpec]:
        from kinblend.plugins import load_plugins

        return list(load_plugins()[self.plugin_kind])


class Evaluations(Commands):
    """The subcommands of `kinblend evaluate`."""

    plugin_kind: ClassVar[str] = "evaluation"


class Later(TyperCommand):
    """Knows its name and summary; the rest comes from the plugin when it is called."""

    def __init__(self, spec: PluginSpec) -> None:
        super().__init__(spec.name, help=spec.summary, rich_help_panel=PANEL)
        self.spec = spec

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        return command_of(self.spec).make_context(info_name, args, *rest, **extra)


def command_of(spec: PluginSpec) -> Any:
    """The command that a plugin's function is, with --json and --quiet where it has none of its own.

    What the function returns is printed: a mapping as two columns, paths and other values a line each.
    """
    function = spec.load()
    app = App(add_completion=False, pretty_exceptions_enable=False)
    with wrap_plugin_errors(f"command '{spec.name}' of plugin '{spec.source}'"):
        app.command(spec.name, cls=PluginCommand, help=spec.summary)(speaking(function))
        command: Any = typer.main.get_command(app)
    command.source = spec.source
    return command


def speaking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the flags --json and --quiet, and what it returns printed as they say."""
    hints = get_type_hints(function, include_extras=True)
    own = signature(function)
    added = {
        name: Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
        for name, annotation in (("as_json", flags.Json), ("quiet", flags.Quiet))
        if name not in own.parameters and not _has_flag(hints, name)
    }

    @wraps(function)
    def command(*arguments: Any, **named: Any) -> None:
        as_json = bool(named.get("as_json")) if "as_json" in added else False
        given = {name: value for name, value in named.items() if name not in added}
        with ExitStack() as stack:
            if as_json:
                stack.enter_context(reserve_stdout())  # what it prints is no JSON
            if "quiet" in added and named.get("quiet"):
                stack.enter_context(redirect_stderr(io.StringIO()))
            found = function(*arguments, **given)
        if found is not None:
            print_result(found, as_json)

    parameters = [parameter.replace(annotation=hints.get(name, str)) for name, parameter in own.parameters.items()]
    command.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*parameters, *added.values()], return_annotation=None
    )
    command.__annotations__ = hints | {name: parameter.annotation for name, parameter in added.items()}
    return command


def _has_flag(hints: Mapping[str, Any], name: str) -> bool:
    """Whether a function has that flag of ours under a name of its own."""
    flag = "--json" if name == "as_json" else "--quiet"
    declared = [about for hint in hints.values() for about in getattr(hint, "__metadata__", ())]
    return any(flag in (getattr(about, "param_decls", None) or ()) for about in declared) or flag[2:] in hints


def print_result(found: Any, as_json: bool) -> None:
    """Print what a command returned."""
    if isinstance(found, Mapping):
        rows = [[str(key), str(value)] for key, value in found.items()]
        emit({str(key): _plain(value) for key, value in found.items()}, as_json=as_json, rows=rows, head=["", ""])
        return
    values = list(found) if isinstance(found, (list, tuple)) else [found]
    if all(isinstance(value, Path) for value in values):
        emit_paths(values, as_json)
    else:
        emit(_plain(found), as_json=as_json, rows=[[str(value)] for value in values], head=[""])


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, dict, type(None))) else str(value)


def flags_of(spec: PluginSpec) -> dict[str, Any]:
    """The flags and arguments of a plugin's command, in the form of an options' JSON schema."""
    hints = get_type_hints(speaking(spec.load()), include_extras=True)
    fields: dict[str, Any] = {}
    for param in command_of(spec).params:
        flag = str(param.name).upper() if param.param_type_name == "argument" else str(param.opts[0])
        default = str(param.default) if isinstance(param.default, Path) else param.default
        fields[str(param.name)] = {
            "flag": flag,
            "description": getattr(param, "help", None) or "",
            **_type_of(value_word(hints.get(str(param.name), str)) or ""),
            **{
                name: bound
                for name, bound in (
                    ("minimum", getattr(param, "min", None)),
                    ("maximum", getattr(param, "max", None)),
                )
                if bound is not None
            },
            **({"default": default} if isinstance(default, (str, int, float)) and default is not False else {}),
        }
    needed = [str(param.name) for param in command_of(spec).params if param.required]
    return {"properties": fields, "required": needed}


def _bounds(param: Any) -> dict[str, float]:
    """The least and the most that a flag takes, as a JSON schema has them."""
    found = {"minimum": getattr(param, "min", None), "maximum": getattr(param, "max", None)}
    return {name: bound for name, bound in found.items() if bound is not None}


def _type_of(word: str) -> dict[str, Any]:
    """The JSON schema of a flag's value, by the word that stands for it."""
    if word == "FILE":
        return {"type": "string", "format": "path"}
    if "|" in word:
        return {"type": "string", "enum": word.split("|")}
    return {"type": {"N": "integer", "X": "number", "": "boolean"}.get(word, "string")}
