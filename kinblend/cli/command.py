"""Commands that keep what they read: none writes over a file that its own command line names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperCommand
from typer.models import CommandFunctionType

from kinblend.cli.output import reserve_stdout
from kinblend.errors import KinblendError, PluginError, summarize
from kinblend.files import inputs_kept

OUTPUTS = frozenset({"out", "report", "plot"})  # parameters that name what is written; all others may name inputs


class GuardedCommand(TyperCommand):
    """A command whose inputs can't be written over while it runs."""

    def invoke(self, ctx: Any) -> Any:
        with inputs_kept(inputs_named(ctx.params, ctx.args)), reserve_stdout():
            return super().invoke(ctx)


class PluginCommand(TyperCommand):
    """A command that a plugin brings: it prints where it likes. source: the plugin, for messages."""

    source = ""

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
        return super().command(name, cls=cls, **settings)


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
