"""`kinblend plugins`: what was loaded, and what was left out and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from kinblend.cli import flags
from kinblend.cli.output import emit

if TYPE_CHECKING:
    from kinblend.plugins import PluginReport, Plugins


def plugins(as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """List plugins; a broken one is named with the reason."""
    from kinblend.plugins import load_plugins

    loaded, hidden = load_plugins(), _hidden()
    data, rows = [], []
    for report in loaded.reports:
        note = _note([name for name, source in hidden if source == report.name])
        problems = found_problems(loaded, report)
        state = report.error or ("; ".join(problems) or "ok") + note
        data.append(asdict(report) | {"problems": problems})
        rows.append([report.name, f"{report.distribution} {report.version}", state])
    emit(data, as_json=as_json, rows=rows, head=["plugin", "from", "state"])


def found_problems(loaded: Plugins, report: PluginReport) -> list[str]:
    """What would go wrong when a plugin of somebody else's is used; our own are tested, and slow to import."""
    if report.error or report.distribution == "kinblend":
        return []
    from kinblend.plugin_checks import plugin_problems

    return plugin_problems(loaded, report.name)


def _hidden() -> list[tuple[str, str]]:
    """Commands of plugins that bear the name of one of ours, and the plugins."""
    import typer

    from kinblend.cli.app import app
    from kinblend.plugins import load_plugins

    ours = set(getattr(typer.main.get_command(app), "commands", ()))
    return [(spec.name, spec.source) for spec in load_plugins()["command"] if spec.name in ours]


def _note(names: list[str]) -> str:
    listed = ", ".join(map(repr, names))
    return f"; its command {listed} can't be called: kinblend has one of that name" if names else ""
