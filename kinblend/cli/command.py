"""Commands that keep what they read: none writes over a file that its own command line names.

Nor does any pass over a word of it: a flag that takes one value is given once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption
from typer.models import ArgumentInfo, CommandFunctionType, OptionInfo

from kinblend.cli.output import reserve_stdout
from kinblend.errors import KinblendError, PluginError, UsageError, summarize
from kinblend.files import inputs_kept

OUTPUTS = frozenset({"out", "report", "plot"})  # parameters that name what is written; all others may name inputs


# What stands for a value in the help, by its type: short, so that 80 columns have room for what it means.
VALUES = {bool: "", int: "N", float: "X", str: "TEXT", Path: "FILE"}


# What does with several values what a flag that takes one can't do.
REPEATED = {
    "--blender": "; `kinblend compare FATHER MOTHER --blenders A,B` shows several strategies side by side",
    "--age": "; `kinblend strip PERSON --age 4,16,40` shows several ages side by side",
}


class GuardedCommand(TyperCommand):
    """A command whose inputs can't be written over while it runs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        refuse_repeats(self, ctx, args)
        return super().parse_args(ctx, args)

    def get_help_option(self, ctx: Any) -> Any:
        return tidied(super().get_help_option(ctx), self.params)

    def invoke(self, ctx: Any) -> Any:
        with inputs_kept(inputs_named(ctx.params, ctx.args)), reserve_stdout():
            return super().invoke(ctx)


class PluginCommand(TyperCommand):
    """A command that a plugin brings: it prints where it likes. source: the plugin, for messages."""

    source = ""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        refuse_repeats(self, ctx, args)
        return super().parse_args(ctx, args)

    def get_help_option(self, ctx: Any) -> Any:
        return tidied(super().get_help_option(ctx), self.params)

    def invoke(self, ctx: Any) -> Any:
        with inputs_kept(inputs_named(ctx.params, ctx.args)):
            try:
                return super().invoke(ctx)
            except (KinblendError, OSError):
                raise
            except Exception as error:
                if type(error).__module__.partition(".")[0] in ("click", "typer"):  # usage, and how commands end
                    raise
                raise PluginError(
                    f"command '{self.name}' of plugin '{self.source}' failed: {summarize(error)}"
                ) from error


class App(typer.Typer):
    """Typer whose commands are guarded."""

    def command(
        self, name: str | None = None, *, cls: type[TyperCommand] | None = GuardedCommand, **settings: Any
    ) -> Callable[[CommandFunctionType], CommandFunctionType]:
        register = super().command(name, cls=cls, **settings)

        def named(function: CommandFunctionType) -> CommandFunctionType:
            name_values(function)
            return register(function)

        return named


def name_values(function: Callable[..., Any]) -> None:
    """Give every flag a short word for its value: FILE, FOLDER, N, girl|boy; and arguments their names."""
    hints = get_type_hints(function, include_extras=True)
    function.__annotations__ = hints  # read once: what is changed here must be what typer reads
    for name, hint in hints.items():
        for about in getattr(hint, "__metadata__", ()):
            if isinstance(about, ArgumentInfo) and about.metavar is None:
                about.metavar = name.upper()
            if isinstance(about, OptionInfo) and about.metavar is None and not about.count:
                about.metavar = value_word(hint)
                if about.metavar == VALUES[Path] and re.match(r"Folder (?!or)", about.help or ""):
                    about.metavar = "FOLDER"


def value_word(kind: Any) -> str | None:
    """The word for a value of a type, the inner one of `list[int] | None`."""
    if hasattr(kind, "__metadata__"):
        kind = kind.__origin__
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    inner = [part for part in get_args(kind) if part is not type(None)]
    return value_word(inner[0]) if inner else VALUES.get(kind)


def refuse_repeats(command: TyperCommand, ctx: Any, words: list[str]) -> None:
    """Raise `UsageError` for a flag that takes one value and has several, of which the parser would keep the last."""
    if ctx.resilient_parsing:  # the shell completes half a line
        return
    given = Counter(map(id, command.make_parser(ctx).parse_args(args=list(words))[2]))
    for param in command.params:
        told = given[id(param)]
        if told < 2 or param.nargs != 1 or not isinstance(param, TyperOption) or param.multiple or param.count:
            continue
        if param.is_flag and not param.secondary_opts:  # --json --json means nothing else
            continue
        name = "/".join([*param.opts[:1], *param.secondary_opts[:1]])
        hint = REPEATED.get(param.opts[0], "")
        raise UsageError(f"{name} is given {told} times and takes one value: give it once{hint}")


def tidied(option: Any, params: Iterable[Any]) -> Any:
    """The option --help, shown last where the others have panels."""
    panels = [panel for param in params if (panel := getattr(param, "rich_help_panel", None))]
    if option is not None:
        option.metavar = ""
        option.rich_help_panel = panels[-1] if panels else None
    return option


def inputs_named(params: Mapping[str, Any], words: Iterable[str]) -> Iterator[str]:
    """All that may be the path of an input. params: by name, as click parsed them. words: what it left over.

    Of `NAME=FILE`, and of several with commas between them, each part counts. What is no file does no harm.
    """
    given = [value for name, value in params.items() if name not in OUTPUTS]
    for text in _texts([*given, *words]):
        yield text
        _, _, value = text.partition("=")
        yield from (part for part in (value, *text.split(","), *value.split(",")) if part)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
