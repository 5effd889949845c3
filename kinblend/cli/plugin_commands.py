"""Commands that plugins bring stand beside our own; their code is imported when they are called.

The contexts are click's, or those of the copy of click that newer typers carry, and so have no type of one name.
"""

from __future__ import annotations

from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from kinblend.cli.command import App, PluginCommand
from kinblend.errors import wrap_plugin_errors
from kinblend.registry import PluginSpec


class Commands(TyperGroup):
    """Our commands, then those of plugins. One of ours can't be replaced. plugin_kind: of the registered ones."""

    plugin_kind: ClassVar[str] = "command"

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
        super().__init__(spec.name, help=spec.summary)
        self.spec = spec

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        app = App(add_completion=False, pretty_exceptions_enable=False)
        app.command(self.spec.name, cls=PluginCommand, help=self.spec.summary)(self.spec.load())
        with wrap_plugin_errors(f"command '{self.spec.name}' of plugin '{self.spec.source}'"):
            command: Any = typer.main.get_command(app)
        command.source = self.spec.source
        return command.make_context(info_name, args, *rest, **extra)
